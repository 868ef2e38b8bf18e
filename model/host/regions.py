"""Connected regions of a mask."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def without_small_regions(mask: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """Return a mask without the connected regions that are smaller than a share of its largest one.

    mask:  [H, W] float32 probabilities; a region is where they exceed 0.5, connected by sides or corners
    share: 0..1; 0 keeps every region

    Dropped regions become 0, the rest stays as it is; a mask of one region is returned itself. An object that
    is partly hidden has several real regions of like size, which is why not only the largest one is kept.
    """
    if share <= 0 or mask.size == 0:
        return mask
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(
        (mask > 0.5).view(np.uint8), connectivity=8
    )
    if count <= 2:  # the ground and one region
        return mask
    areas = statistics[1:, cv2.CC_STAT_AREA]
    small = np.append(False, areas < share * areas.max())
    return np.where(small[labels], np.float32(0), mask)
