"""Masks on a frame: their tint and their outline, worked out within each mask's crop only."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from model.detections import MaskCrop
from pipeline.overlay.palette import Colour

Pixels = NDArray[np.uint8]

_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
_SQUARE = np.ones((3, 3), np.uint8)
_PEELS = (_CROSS, _SQUARE)


def fill(canvas: Pixels, crops: Sequence[MaskCrop], colours: Sequence[Colour], alpha: float) -> None:
    """Tint the masks' pixels of `canvas`, [H, W, 3] uint8: (1 - alpha) of the picture, alpha of the colour.

    crops: best first. Each pixel is tinted once, by the first mask that holds it, so that the topmost of
    overlapping masks keeps its own colour instead of blending with those beneath.
    """
    taken = np.zeros(canvas.shape[:2], np.uint8)
    for crop, colour in zip(crops, colours, strict=True):
        if crop.pixels.size == 0:
            continue
        window = _window(crop)
        mask, before = _as_bytes(crop), taken[window]
        free = cv2.subtract(mask, before)  # 1 - 1 and 0 - 1 are 0
        before |= mask
        below = canvas[window]
        tinted = cv2.addWeighted(below, 1 - alpha, _plain(mask.shape, colour), alpha, 0)
        cv2.copyTo(tinted, free, below)


def outline(canvas: Pixels, crop: MaskCrop, colour: Colour, width: int) -> None:
    """Paint the rim of a mask, `width` pixels of its inside, on `canvas`, [H, W, 3] uint8.

    A mask that reaches the end of its crop or of the frame has its rim there. Peeled off by a cross and a
    square in turn, which comes close to a circle: the rim is as wide along slopes as along straight edges.
    """
    if crop.pixels.size == 0:
        return
    mask = _as_bytes(crop)
    kernel: cv2.typing.MatLike = mask
    for turn in range(width):
        kernel = cv2.erode(kernel, _PEELS[turn % 2], borderType=cv2.BORDER_CONSTANT, borderValue=0)
    rim = cv2.bitwise_xor(mask, kernel)
    cv2.copyTo(_plain(mask.shape, colour), rim, canvas[_window(crop)])


def _window(crop: MaskCrop) -> tuple[slice, slice]:
    h, w = crop.pixels.shape
    return np.s_[crop.y : crop.y + h, crop.x : crop.x + w]


def _as_bytes(crop: MaskCrop) -> Pixels:
    """[h, w] uint8, 0 or 1."""
    return np.ascontiguousarray(crop.pixels).view(np.uint8)


def _plain(shape: tuple[int, ...], colour: Colour) -> Pixels:
    """[h, w, 3] of one colour."""
    plain = np.empty((*shape, 3), np.uint8)
    plain[0] = colour
    plain[1:] = plain[0]  # rows are copied much faster than pixels
    return plain
