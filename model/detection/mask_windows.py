"""Masks that were refined in a window of the network's input, combined with the detector's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from model.detection.masks import enlarge, resized
from model.detections import MaskCrop

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

    logits: Tensor
    x: int
    y: int
    side: int
    content: tuple[int, int]


def at_frame_size(
    mask: Tensor, bounds: Box, box: Box, frame_size: tuple[int, int], window: MaskWindow | None
) -> MaskCrop:
    """Return a mask at the frame's size, sharpened where there is a window for it.

    mask, bounds: as of `masks.enlarge`; box, frame_size: as of `sharpened`
    """
    if window is None:
        return enlarge(mask, bounds, *frame_size)
    x, y, probabilities = resized(mask, bounds, *frame_size)
    return sharpened(probabilities, (x, y), box, frame_size, window)


def sharpened(
    probabilities: Tensor,
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
    sure = probabilities.clamp(_LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY).logit()
    mean = WINDOW_WEIGHT * logits + (1 - WINDOW_WEIGHT) * sure
    pixels = torch.where(in_rows[:, None] & in_columns, mean > 0, own)
    x1, y1, x2, y2 = box
    pixels &= _within(y1, y2, y, height)[:, None] & _within(x1, x2, x, width)
    return MaskCrop(x, y, (pixels if _iou(pixels, own) >= LEAST_AGREEMENT else own).numpy())


def _resizing(
    window: MaskWindow, corner: int, content: int, first: int, count: int, length: int
) -> tuple[Tensor, Tensor]:
    """Return bilinear weights [count, S] of frame pixels `first` and on, and [count] bool, if inside.

    corner: of the window along this axis; content: the input's pixels that `length` pixels of the frame fill
    """
    places = window.logits.shape[0]
    centres = (torch.arange(first, first + count) + 0.5) * (content / length)
    at = ((centres - corner) * (places / window.side) - 0.5).clamp(0, places - 1)
    weights = (1 - (at[:, None] - torch.arange(places)).abs()).clamp(min=0)
    return weights, (centres >= corner) & (centres < corner + window.side)


def _within(low: float, high: float, first: int, count: int) -> Tensor:
    """Return [count] bool, True for the pixels `first` and on that the box's edges enclose or cut."""
    pixels = torch.arange(first, first + count)
    return (pixels + 1 > low) & (pixels < high)


def _iou(a: Tensor, b: Tensor) -> float:
    union = int((a | b).count_nonzero())
    return int((a & b).count_nonzero()) / union if union else 1.0
