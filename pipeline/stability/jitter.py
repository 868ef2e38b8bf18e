"""Jitter: the change of a mask between two frames that the picture's own motion does not explain."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from model.detections import MaskCrop
from pipeline.stability.flow import Correspondence
from pipeline.stability.raster import place

BAND = 0.02
"""The boundary band's width, of the picture's diagonal: Cheng et al., "Boundary IoU: Improving Object-Centric
Image Segmentation Evaluation", CVPR 2021."""
BAND_OF_OBJECT = 0.1
"""The band's width at most, of the square root of the object's pixels, for small objects."""
HALF = 128
"""Of 255: what a pixel of a moved mask must reach after interpolation."""
LEAST_KNOWN = 0.1
"""The least share of the two masks' pixels of which the flow must tell where they were."""

Pixels = NDArray[np.bool_]
Value = TypeVar("Value", bound=np.generic)


@dataclass(frozen=True)
class Jitter:
    """1 - IoU of a mask with the mask of the frame before, moved along with the picture.

    whole:    of the masks, 0..1
    boundary: of the parts of the masks along their boundaries, 0..1; None where nothing of them is known
    """

    whole: float
    boundary: float | None


@dataclass(frozen=True)
class RasterWindow:
    """A part of the raster: its corner and its size in px."""

    left: int
    top: int
    width: int
    height: int


def jitter(now: MaskCrop, before: MaskCrop, moved: Correspondence) -> Jitter | None:
    """The jitter between a mask and that of the frame before, both on the raster of the flow.

    Only pixels count of which `moved` knows where they were. None when those are less than `LEAST_KNOWN` of
    the two masks' pixels, or one of the masks is empty.
    """
    if not now.pixels.size or not before.pixels.size:
        return None
    window = _window(now, before, moved)
    mask = place(now, window.left, window.top, window.width, window.height)
    carried = _carried(before, moved, window)
    known = _part(moved.known, window)
    either = mask | carried
    counted = np.count_nonzero(either & known)
    if not counted or counted < LEAST_KNOWN * np.count_nonzero(either):
        return None
    shared = np.count_nonzero(mask & carried & known)
    width = band_width(math.sqrt(now.area), moved.known.shape)
    return Jitter(1 - int(shared) / int(counted), _band_jitter(mask, carried, known, width))


def carry(before: MaskCrop, moved: Correspondence) -> MaskCrop:
    """Return a mask of the frame before, moved into this one by the known pixels; it may be empty."""
    if not before.pixels.size:
        return before
    window = _window(before, before, moved)
    carried = _carried(before, moved, window) & _part(moved.known, window)
    return MaskCrop(window.left, window.top, carried).tight()


def band_width(size: float, picture: tuple[int, ...]) -> int:
    """The boundary band's width in px: of an object of `size` px across, in a picture (height, width)."""
    return max(round(min(BAND * math.hypot(*picture), BAND_OF_OBJECT * size)), 1)


def _band_jitter(mask: Pixels, carried: Pixels, known: Pixels, width: int) -> float | None:
    near = cv2.getStructuringElement(cv2.MORPH_RECT, (2 * width + 1, 2 * width + 1))
    # beyond the window's edge counts as inside: that edge is the frame's wherever a mask touches it
    bands = [part & ~cv2.erode(part.view(np.uint8), near).view(bool) for part in (mask, carried)]
    counted = np.count_nonzero((bands[0] | bands[1]) & known)
    if not counted:
        return None
    return 1 - int(np.count_nonzero(bands[0] & bands[1] & known)) / int(counted)


def _window(now: MaskCrop, before: MaskCrop, moved: Correspondence) -> RasterWindow:
    """Return the window of both masks, wherever the former one may have moved, with a margin of a pixel."""
    height, width = moved.known.shape
    left, right, up, down = moved.spread
    x1 = min(now.x, before.x - math.ceil(right)) - 1
    y1 = min(now.y, before.y - math.ceil(down)) - 1
    x2 = max(now.x + now.pixels.shape[1], before.x + before.pixels.shape[1] - math.floor(left)) + 1
    y2 = max(now.y + now.pixels.shape[0], before.y + before.pixels.shape[0] - math.floor(up)) + 1
    x1, y1, x2, y2 = max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)
    return RasterWindow(x1, y1, x2 - x1, y2 - y1)


def _part(whole: NDArray[Value], window: RasterWindow) -> NDArray[Value]:
    rows = slice(window.top, window.top + window.height)
    return whole[rows, window.left : window.left + window.width]


def _carried(before: MaskCrop, moved: Correspondence, window: RasterWindow) -> Pixels:
    """The mask of the frame before, seen through the window of this frame."""
    height, width = moved.known.shape
    rows, columns = before.pixels.shape
    # a margin of nothing, but at the frame's edge, beyond which the mask goes on as it ends there
    x1, y1 = max(before.x - 1, 0), max(before.y - 1, 0)
    x2, y2 = min(before.x + columns + 1, width), min(before.y + rows + 1, height)
    patch = place(before, x1, y1, x2 - x1, y2 - y1).view(np.uint8) * 255
    # remap takes float32 alone, also where a crop's place is a NumPy integer
    x, y = _part(moved.x, window) - np.float32(x1), _part(moved.y, window) - np.float32(y1)
    seen = cv2.remap(patch, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen >= HALF)
