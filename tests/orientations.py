"""Pictures of all orientations of EXIF, turned upright in the slow and obvious way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def uprights(stored: NDArray[np.uint8]) -> dict[int, NDArray[np.uint8]]:
    """Return the stored picture [H, W, 3] as it is to be seen, by orientation (EXIF 2.3, section 4.6.4)."""
    return {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.transpose(1, 0, 2),
        6: np.rot90(stored, -1),
        7: stored[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(stored, 1),
    }
