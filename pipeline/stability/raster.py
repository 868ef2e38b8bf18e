"""Masks on the raster of the luminance picture, cropped to their pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from model.detections import MaskCrop

Labels = NDArray[np.uint8]


def on_grid(crop: MaskCrop, image_size: tuple[int, int], grid: tuple[int, int]) -> MaskCrop:
    """A mask of a frame of `image_size` (height, width) on a raster of `grid` (height, width) px.

    A pixel of the raster is as the pixel of the frame in which its centre lies. The result is cropped to its
    pixels; of an empty one there is nothing left, 0 x 0.
    """
    if grid == image_size:
        return crop.tight()
    top, rows = _centres(crop.y, crop.pixels.shape[0], image_size[0], grid[0])
    left, columns = _centres(crop.x, crop.pixels.shape[1], image_size[1], grid[1])
    return MaskCrop(left, top, crop.pixels[rows[:, None], columns]).tight()


def _centres(start: int, length: int, frame: int, grid: int) -> tuple[int, NDArray[np.int64]]:
    """Along one side, the raster's pixels whose centres lie in a crop: the first one; of each, where it lies.

    start, length: of the crop, in px of the frame; frame, grid: the sides' lengths in px
    """
    # centre i is at (i + 0.5) * frame / grid; in whole numbers, so that no rounding depends on the crop
    first, end = (-(-(2 * grid * edge - frame) // (2 * frame)) for edge in (start, start + length))
    centres = np.arange(first, end, dtype=np.int64)
    return first, (2 * centres + 1) * frame // (2 * grid) - start


def objects(labels: Labels) -> dict[int, MaskCrop]:
    """The mask of each value but 0, by value, of [H, W] uint8."""
    counts = cv2.calcHist([labels], [0], None, [256], [0, 256]).ravel()
    return {int(v): MaskCrop(0, 0, labels == v).tight() for v in np.flatnonzero(counts) if v}


def place(crop: MaskCrop, left: int, top: int, width: int, height: int) -> NDArray[np.bool_]:
    """Return the part of a mask within a window: [height, width] bool, the window's corner at (left, top)."""
    window = np.zeros((height, width), dtype=bool)
    rows, columns = crop.pixels.shape
    x, y = crop.x - left, crop.y - top
    x1, y1, x2, y2 = max(x, 0), max(y, 0), min(x + columns, width), min(y + rows, height)
    if x1 < x2 and y1 < y2:
        window[y1:y2, x1:x2] = crop.pixels[y1 - y : y2 - y, x1 - x : x2 - x]
    return window
