"""Paste the mask logits of a window into the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

# a pixel belongs to the mask where its probability exceeds this
MASK_PROBABILITY = 0.2


@dataclass(frozen=True, eq=False)
class WindowMask:
    """The part of a window's mask that lies within the picture.

    row, column: of the part's corner in the picture; pixels: [h, w] bool, sides may be 0
    """

    row: int
    column: int
    pixels: np.ndarray

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The tight box (x1, y1, x2, y2) in pixels, its far edges excluded; all 0 for an empty mask."""
        rows, columns = np.flatnonzero(self.pixels.any(1)), np.flatnonzero(self.pixels.any(0))
        if not len(rows):
            return 0, 0, 0, 0
        return (
            self.column + int(columns[0]),
            self.row + int(rows[0]),
            self.column + int(columns[-1]) + 1,
            self.row + int(rows[-1]) + 1,
        )

    def trimmed(self) -> WindowMask:
        """Return the same mask in its tight box, in memory of its own."""
        x1, y1, x2, y2 = self.box
        pixels = self.pixels[y1 - self.row : y2 - self.row, x1 - self.column : x2 - self.column]
        return WindowMask(y1, x1, pixels.copy())


def paste(
    logits: np.ndarray, scale: float, corner: tuple[int, int], shape: tuple[int, int], window: int,
    probability: float = MASK_PROBABILITY,
) -> WindowMask:  # fmt: skip
    """Return a window's mask in the picture.

    logits: [m, m] float, at any resolution, of the whole window
    scale:  of the pyramid's level that the window is from
    corner: row and column of the window's corner in pixels of that level, without its margin; may be negative
    shape:  height and width of the picture
    """
    resize = resizing(logits.shape[0], max(1, math.floor(window / scale)))
    inside = resize @ logits @ resize.T > math.log(probability / (1 - probability))
    first, rows = _places(corner[0], scale, len(inside), shape[0])
    left, columns = _places(corner[1], scale, len(inside), shape[1])
    return WindowMask(first, left, inside[rows, columns])


def _places(corner: int, scale: float, side: int, limit: int) -> tuple[int, slice]:
    """Return where in the picture the first visible row lies, and the slice of rows that are visible."""
    start = math.floor(corner / scale)
    hidden = min(max(0, -start), side)
    shown = max(hidden, min(side, limit - start))
    return start + hidden, slice(hidden, shown)


@lru_cache(maxsize=64)
def resizing(source: int, target: int) -> np.ndarray:
    """Return the matrix [target, source] that resizes one axis.

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
    matrix.flags.writeable = False
    return matrix
