"""A frame divided into square cells: the coarse grid on which regions are found, grown and pixelated.

A region is `cells`, [rows, columns] bool. The grid begins in the frame's top left corner and never moves, so
that something that stands still is not seen through other blocks from frame to frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from model.detections import MaskCrop

Cells = NDArray[np.bool_]
Pixels = NDArray[np.uint8]

_LEAST_SIDE = 8  # pixels
_CELLS_ACROSS = 60  # of the mean side of a frame: cells of 16 pixels at 720p


@dataclass(frozen=True)
class Grid:
    """The cells of frames of `height` x `width` pixels; those at the right and lower edges may be cut.

    side: of a cell, in pixels
    """

    height: int
    width: int
    side: int

    @staticmethod
    def of(size: tuple[int, int]) -> Grid:
        """The grid of frames of this size, (height, width) in pixels."""
        height, width = size
        return Grid(height, width, max(_LEAST_SIDE, round((height * width) ** 0.5 / _CELLS_ACROSS)))

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return -(-self.height // self.side), -(-self.width // self.side)

    def empty(self) -> Cells:
        """Return a region without cells."""
        return np.zeros(self.shape, dtype=bool)

    def all(self) -> Cells:
        """Return a region of every cell."""
        return np.ones(self.shape, dtype=bool)

    def touched_by(self, crop: MaskCrop) -> Cells:
        """The cells that hold any pixel of a mask."""
        cells = self.empty()
        h, w = crop.pixels.shape
        if h and w:
            rows, columns = self._starts(crop.y, h), self._starts(crop.x, w)
            # bytes are or-ed much faster than bools; rows first, along which memory runs
            bits = np.ascontiguousarray(crop.pixels).view(np.uint8)
            bits = np.bitwise_or.reduceat(np.bitwise_or.reduceat(bits, rows, axis=0), columns, axis=1)
            y, x = crop.y // self.side, crop.x // self.side
            cells[y : y + len(rows), x : x + len(columns)] = bits
        return cells

    def touched_by_box(self, box: NDArray[np.float32]) -> Cells:
        """The cells that a box touches, [4] x1 y1 x2 y2 in pixels, finite.

        A box without area, or one outside of the frame, touches the cell that is next to it.
        """
        cells = self.empty()
        rows, columns = self.shape
        left, right = sorted(min(max(int(x) // self.side, 0), columns - 1) for x in box[0::2])
        top, bottom = sorted(min(max(int(y) // self.side, 0), rows - 1) for y in box[1::2])
        cells[top : bottom + 1, left : right + 1] = True
        return cells

    def level(self, pixels: float) -> int:
        """The least level whose blocks, of `side` · 2**level pixels, have sides of so many pixels."""
        level = 0
        while self.side << level < pixels:
            level += 1
        return level

    def mask(self, cells: Cells) -> MaskCrop:
        """The mask of all pixels in these cells."""
        window = _window(cells)
        rows, columns = (s.start for s in window)
        pixels = _enlarged(cells[window], self.side)
        y, x = rows * self.side, columns * self.side
        return MaskCrop(x, y, pixels[: self.height - y, : self.width - x])

    def pixelate(self, canvas: Pixels, cells: Cells, level: int) -> None:
        """Give each block of a region its mean colour: nothing else is left of it.

        canvas: [H, W, 3] uint8, changed in place; cells: whole blocks of this level, see `in_blocks`
        """
        blocks = cells[:: 1 << level, :: 1 << level]
        window = _window(blocks)
        if not blocks[window].size:
            return
        side = self.side << level
        pixels = canvas[tuple(slice(s.start * side, s.stop * side) for s in window)]
        h, w = pixels.shape[:2]
        shape = blocks[window].shape
        # blocks that the frame's edge cuts are filled up with their own last pixels
        whole = cv2.copyMakeBorder(
            pixels, 0, shape[0] * side - h, 0, shape[1] * side - w, cv2.BORDER_REPLICATE | cv2.BORDER_ISOLATED
        )
        means = cv2.resize(whole, shape[::-1], interpolation=cv2.INTER_AREA)
        flat = cv2.resize(means, None, fx=side, fy=side, interpolation=cv2.INTER_NEAREST)[:h, :w]
        mask = cv2.resize(
            blocks[window].view(np.uint8), None, fx=side, fy=side, interpolation=cv2.INTER_NEAREST
        )[:h, :w]
        cv2.copyTo(flat, mask, pixels)

    def _starts(self, first: int, count: int) -> NDArray[np.intp]:
        """Return the starts of the cells that `count` pixels lie in, counted from `first`: [C] pixels."""
        return np.maximum(np.arange(first // self.side * self.side, first + count, self.side) - first, 0)


def widened(cells: Cells, count: int) -> Cells:
    """A region with a margin of so many cells."""
    return _dilated(cells, (2 * count + 1, 2 * count + 1), (count, count))


def stretched(cells: Cells, right: int, down: int) -> Cells:
    """A region with all that it passes over on its way to so many cells further; negative: left and up."""
    return _dilated(cells, (abs(right) + 1, abs(down) + 1), (max(right, 0), max(down, 0)))


def filled(cells: Cells) -> Cells:
    """A region without the holes that it encloses."""
    around = np.zeros((cells.shape[0] + 2, cells.shape[1] + 2), np.uint8)
    around[1:-1, 1:-1] = cells
    cv2.floodFill(around, None, (0, 0), 2)
    return np.asarray(around[1:-1, 1:-1] != 2)


def in_blocks(cells: Cells, level: int) -> Cells:
    """The blocks of 2**level x 2**level cells, counted from the top left, that a region touches."""
    if level == 0:
        return cells
    rows, columns = cells.shape
    count = 1 << level
    padded = np.pad(cells, ((0, -rows % count), (0, -columns % count)))
    blocks = padded.reshape(padded.shape[0] // count, count, padded.shape[1] // count, count).any(axis=(1, 3))
    return blocks.repeat(count, axis=0).repeat(count, axis=1)[:rows, :columns]


def without(grid: Grid, crop: MaskCrop, cells: Cells) -> MaskCrop:
    """A mask without the pixels in a region."""
    h, w = crop.pixels.shape
    top, left = crop.y // grid.side, crop.x // grid.side
    under = cells[top : (crop.y + h) // grid.side + 1, left : (crop.x + w) // grid.side + 1]
    if not under.any():
        return crop
    y, x = crop.y - top * grid.side, crop.x - left * grid.side
    hidden = _enlarged(under, grid.side)[y : y + h, x : x + w]
    return MaskCrop(crop.x, crop.y, crop.pixels & ~hidden)


def _enlarged(cells: Cells, side: int) -> Cells:
    return cells.repeat(side, axis=0).repeat(side, axis=1)


def _dilated(cells: Cells, size: tuple[int, int], anchor: tuple[int, int]) -> Cells:
    """size and anchor: x before y. Each cell takes the `anchor` cells before it into account."""
    kernel = np.ones(size[::-1], np.uint8)
    bits = np.ascontiguousarray(cells).view(np.uint8)
    grown = cv2.dilate(bits, kernel, anchor=anchor, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(grown.view(np.bool_))


def _window(cells: Cells) -> tuple[slice, slice]:
    """Rows and columns around a region; empty slices for none."""
    rows, columns = np.flatnonzero(cells.any(axis=1)), np.flatnonzero(cells.any(axis=0))
    if not len(rows):
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
