"""Paste the mask logits of a window into the picture."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from model.detections import MaskCrop

# a pixel belongs to the mask where its probability exceeds this
MASK_PROBABILITY = 0.2


def paste(
    logits: np.ndarray, scale: float, corner: tuple[int, int], shape: tuple[int, int], window: int,
    probability: float = MASK_PROBABILITY,
) -> MaskCrop:  # fmt: skip
    """Return a window's mask in the picture, cropped to its pixels.

    logits: [m, m] float, at any resolution, of the whole window
    scale:  of the pyramid's level that the window is from
    corner: row and column of the window's corner in pixels of that level, without its margin; may be negative
    shape:  height and width of the picture
    """
    resize = resizing(logits.shape[0], max(1, math.floor(window / scale)))
    first, rows = _places(corner[0], scale, len(resize), shape[0])
    left, columns = _places(corner[1], scale, len(resize), shape[1])
    # not by numpy, whose threads wait for work in a loop and keep the cores from an engine's own
    shown = resize[rows] @ torch.as_tensor(logits, dtype=torch.float32) @ resize[columns].T
    inside = shown.numpy() > math.log(probability / (1 - probability))
    return MaskCrop(left, first, inside).tight()


def _places(corner: int, scale: float, side: int, limit: int) -> tuple[int, slice]:
    """Return where in the picture the first visible row lies, and the slice of rows that are visible."""
    start = math.floor(corner / scale)
    hidden = min(max(0, -start), side)
    shown = max(hidden, min(side, limit - start))
    return start + hidden, slice(hidden, shown)


@lru_cache(maxsize=64)
def resizing(source: int, target: int) -> Tensor:
    """Return the matrix [target, source] float32 that resizes one axis.

    Enlarging is linear with both ends fixed; reducing averages what each new pixel covers.
    """
    matrix = np.zeros((target, source), np.float32)
    if target >= source:
        at = np.arange(target) * ((source - 1) / max(1, target - 1))
        low = np.minimum(at.astype(int), max(0, source - 2))
        part = (at - low).astype(np.float32)
        matrix[np.arange(target), low] = 1 - part
        if source > 1:
            matrix[np.arange(target), low + 1] += part
    else:
        edges = np.arange(target + 1) * (source / target)
        cells = np.arange(source)
        covered = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
        matrix[:] = np.clip(covered, 0, None)
        matrix /= matrix.sum(1, keepdims=True)
    return torch.from_numpy(matrix)
