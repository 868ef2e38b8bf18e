"""Dense optical flow from a frame to the one before, and the pixels for which it is unknown.

The flow is DIS: Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016, of OpenCV. Pixels
that were hidden are found by the check of Sundaram et al., "Dense Point Trajectories by GPU-accelerated Large
Displacement Optical Flow", ECCV 2010: there and back again must end near the start.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

LONGEST_SIDE = 640
"""px of the luminance picture; larger frames are made smaller, smaller ones stay as they are."""
SAME_SHOT = 0.15
"""The least share of pixels that must be found again in the frame before; else it shows another scene.
Across a cut it is below 0.1; the least within a shot was 0.19, where lorries passed over a bare road."""
SMALLEST_SIDE = 12
"""px; OpenCV's DIS takes no smaller picture: there every pixel counts as having stayed where it was."""
RELATIVE_ERROR, ABSOLUTE_ERROR = 0.01, 0.5
"""Of the check there and back again, as in Sundaram et al.: of the squared lengths, and in px²."""

Luminance = NDArray[np.uint8]
Plane = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Correspondence:
    """Positions of a frame's pixels in the frame before, in pixels of the luminance picture.

    x, y:   [h, w] float32, the place in the frame before; whole numbers are centres of pixels
    known:  [h, w] bool, False where the pixel was hidden, or outside of the frame
    spread: least and largest x, least and largest y by which a known pixel's source is away from it
    """

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    known: NDArray[np.bool_]
    spread: tuple[float, float, float, float]

    @property
    def share_known(self) -> float:
        """The share of pixels that are known, 0..1."""
        return int(np.count_nonzero(self.known)) / self.known.size


class FlowEstimator:
    """Finds correspondences with OpenCV's DIS flow, both ways. Not shared between threads.

    The same pictures give the same flow.
    """

    def __init__(self) -> None:
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        # A pixel of the flow is 2 x 2 of the picture's instead of 4 x 4, which takes a third off the jitter
        # of true masks. What slower presets refine smooths the flow across objects' edges and adds to it.
        self._dis.setFinestScale(1)
        self._dis.setPatchStride(5)

    def __call__(self, before: Luminance, now: Luminance) -> Correspondence:
        """Return the correspondence of two pictures [h, w] uint8 of one size, as `luminance` makes them."""
        height, width = now.shape
        back_x, back_y = self._flow(now, before)
        x: Plane = np.add(back_x, np.arange(width), dtype=np.float32)
        y: Plane = np.add(back_y, np.arange(height)[:, None], dtype=np.float32)
        forth_x, forth_y = (
            cv2.remap(part, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            for part in self._flow(before, now)
        )
        lengths = back_x**2 + back_y**2 + forth_x**2 + forth_y**2
        astray = (back_x + forth_x) ** 2 + (back_y + forth_y) ** 2
        known = astray <= RELATIVE_ERROR * lengths + ABSOLUTE_ERROR
        # a pixel reaches half a pixel beyond its centre
        known &= (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
        return Correspondence(x, y, known, (*_range(back_x, known), *_range(back_y, known)))

    def _flow(self, one: Luminance, other: Luminance) -> tuple[Plane, Plane]:
        """Return the displacement of each pixel of `one` to `other`: [h, w] px in x, and in y."""
        if min(one.shape) < SMALLEST_SIDE:
            return np.zeros(one.shape, np.float32), np.zeros(one.shape, np.float32)
        flow = self._dis.calc(one, other, None)  # type: ignore[call-overload, unused-ignore]
        x, y = cv2.split(flow)
        return x, y


def luminance(image: NDArray[np.uint8]) -> Luminance:
    """The picture that the flow is found on: [h, w] uint8 of [H, W, 3] BGR, `LONGEST_SIDE` px at most."""
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
    height, width = grid_size(image.shape[:2])
    if grey.shape == (height, width):
        return grey
    return np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def grid_size(image_size: tuple[int, ...]) -> tuple[int, int]:
    """(height, width) of the luminance picture of a frame of (height, width) px."""
    height, width = image_size
    scale = min(LONGEST_SIDE / max(height, width), 1)
    return max(round(height * scale), 1), max(round(width * scale), 1)


def _range(values: Plane, known: NDArray[np.bool_]) -> tuple[float, float]:
    """The least and the largest of what is known; 0 where nothing is."""
    if not known.any():
        return 0.0, 0.0
    least, largest, *_ = cv2.minMaxLoc(values, known.view(np.uint8))
    return least, largest
