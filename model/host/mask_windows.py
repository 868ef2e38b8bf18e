"""Masks that were refined in a window of the network's input, combined with the detector's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.detections import MaskCrop
from model.host.masks import MaskPatch, enlarge, resized
from model.host.outputs import Floats

Box: TypeAlias = tuple[float, float, float, float]

# chosen on people/val, see "Sharpening" in weights/SHARPMASK_CARD.md
WINDOW_WEIGHT = 0.4  # of the window's logits in the mean with the detector's own
LEAST_AGREEMENT = 0.5  # IoU of the new mask with the detector's, which stays where it is lower

_LEAST_PROBABILITY = 1e-3  # so that no pixel's own logit is beyond every vote


@dataclass(frozen=True, eq=False)
class MaskWindow:
    """Logits of one mask in a square window of the network's input.

    logits:  [S, S] float32, a pixel belongs to the mask where they exceed 0
    x, y:    corner of the window in pixels of the input; it may lie outside
    side:    of the window, in the same pixels
    content: height and width, in the same pixels, of the part that the frame fills, from the corner on
    """

    logits: Floats
    x: int
    y: int
    side: int
    content: tuple[int, int]


def at_frame_size(
    patch: MaskPatch,
    grid: tuple[int, int],
    box: Box,
    frame_size: tuple[int, int],
    window: MaskWindow | None,
) -> MaskCrop:
    """Return a mask at the frame's size, sharpened where there is a window for it.

    patch, grid: as of `masks.enlarge`; box, frame_size: as of `sharpened`
    """
    if window is None:
        return enlarge(patch, grid, frame_size)
    x, y, probabilities = resized(patch, grid, frame_size)
    return sharpened(probabilities, (x, y), box, frame_size, window)


def sharpened(
    probabilities: Floats,
    corner: tuple[int, int],
    box: Box,
    frame_size: tuple[int, int],
    window: MaskWindow,
) -> MaskCrop:
    """Return the mask by the weighted mean of both logits; the detector's alone where both disagree.

    probabilities: [h, w] float32, the detector's mask at frame size, see `masks.resized`
    corner:        x, y of its first pixel in the frame
    box:           x1, y1, x2, y2 of the detection in frame pixels; the mean is cut to it
    frame_size:    height and width of the frame

    Outside of the window a pixel stays as the detector has it.
    """
    x, y = corner
    height, width = probabilities.shape
    own = probabilities > 0.5
    rows, in_rows = _resizing(window, window.y, window.content[0], y, height, frame_size[0])
    columns, in_columns = _resizing(window, window.x, window.content[1], x, width, frame_size[1])
    logits = rows @ window.logits @ columns.T
    likely = np.clip(probabilities, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    mean = WINDOW_WEIGHT * logits + (1 - WINDOW_WEIGHT) * np.log(likely / (1 - likely))
    pixels = np.where(in_rows[:, None] & in_columns, mean > 0, own)
    x1, y1, x2, y2 = box
    pixels &= _within(y1, y2, y, height)[:, None] & _within(x1, x2, x, width)
    return MaskCrop(x, y, pixels if _iou(pixels, own) >= LEAST_AGREEMENT else own)


def _resizing(
    window: MaskWindow, corner: int, content: int, first: int, count: int, length: int
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return bilinear weights [count, S] of frame pixels `first` and on, and [count] bool, if inside.

    corner: of the window along this axis; content: the input's pixels that `length` pixels of the frame fill
    """
    places = window.logits.shape[0]
    centres = (np.arange(first, first + count) + 0.5) * (content / length)
    at = np.clip((centres - corner) * (places / window.side) - 0.5, 0, places - 1)
    weights = np.maximum(1 - np.abs(at[:, None] - np.arange(places)), 0).astype(np.float32)
    return weights, (centres >= corner) & (centres < corner + window.side)


def _within(low: float, high: float, first: int, count: int) -> NDArray[np.bool_]:
    """Return [count] bool, True for the pixels `first` and on that the box's edges enclose or cut."""
    pixels = np.arange(first, first + count)
    return (pixels + 1 > low) & (pixels < high)


def _iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    union = int(np.count_nonzero(a | b))
    return int(np.count_nonzero(a & b)) / union if union else 1.0
