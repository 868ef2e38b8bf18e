"""Prototypes without what is hidden in the frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.live.privacy.cells import Cells, Grid

_LEAST_BLOCK = 4  # prototype pixels: a single one holds K numbers, which tell more than a colour


def pixelated(prototypes: NDArray[np.float32], grid: Grid, cells: Cells, level: int) -> NDArray[np.float32]:
    """A copy in which each block of a region holds nothing but its mean.

    prototypes: [Hp, Wp, K] float32, which lie over the whole frame; cells, level: see `Grid.pixelate`
    """
    height, width = prototypes.shape[:2]
    rows = _block_of(height, (grid.side << level) * height / grid.height)
    columns = _block_of(width, (grid.side << level) * width / grid.width)
    sums = np.add.reduceat(prototypes, _starts(rows), axis=0, dtype=np.float64)
    sums = np.add.reduceat(sums, _starts(columns), axis=1)
    counts = np.bincount(rows)[:, None] * np.bincount(columns)[None, :]
    means = (sums / counts[..., None]).astype(np.float32)  # [blocks, blocks, K]
    hidden = _under(cells, grid, height, width)
    copy = prototypes.copy()
    y, x = np.nonzero(hidden)
    copy[y, x] = means[rows[y], columns[x]]
    return copy


def _block_of(count: int, side: float) -> NDArray[np.intp]:
    """[count], the number of the block that each prototype pixel lies in; a rest joins the last block."""
    whole = max(round(side), _LEAST_BLOCK)
    return np.minimum(np.arange(count) // whole, max(count // whole - 1, 0))


def _starts(blocks: NDArray[np.intp]) -> NDArray[np.intp]:
    return np.flatnonzero(np.diff(blocks, prepend=-1))


def _under(cells: Cells, grid: Grid, height: int, width: int) -> NDArray[np.bool_]:
    """[height, width], the prototype pixels that any of the cells touches."""
    down = _overlap(height, cells.shape[0], grid.height / height, grid.side)  # [Hp, rows]
    across = _overlap(width, cells.shape[1], grid.width / width, grid.side)  # [Wp, columns]
    return np.asarray(down @ cells.astype(np.float32) @ across.T > 0)


def _overlap(pixels: int, cells: int, pixel: float, side: int) -> NDArray[np.float32]:
    """[pixels, cells], 1 where a prototype pixel, `pixel` frame pixels long, and a cell overlap."""
    first, cell = np.arange(pixels)[:, None] * pixel, np.arange(cells)[None, :] * side
    overlaps = (first < cell + side) & (cell < first + pixel)
    return overlaps.astype(np.float32)
