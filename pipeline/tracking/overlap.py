"""Overlap of instances: boxes, and masks on a coarse grid."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


def box_ious(a: Floats, b: Floats) -> NDArray[np.float64]:
    """IoU of each pair of boxes, [A, 4] and [B, 4] x1 y1 x2 y2: [A, B], 0..1; 0 for a box without area."""
    one, other = a.astype(np.float64), b.astype(np.float64)
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = (high - low).clip(0).prod(-1)
    union = _areas(one)[:, None] + _areas(other) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return (boxes[:, 2:] - boxes[:, :2]).clip(0).prod(-1)


class Patch(NamedTuple):
    """The part of a mask on a coarse grid that can hold cells."""

    rows: slice
    columns: slice
    cells: NDArray[np.bool_]  # of these rows and columns
    area: int  # cells that it holds


def mask_iou(patch: Patch, mask: NDArray[np.bool_], area: int) -> float:
    """IoU, 0..1, of a patch and a mask [h, w] of `area` cells on the same grid; NaN where either is empty."""
    if not (patch.area and area):
        return math.nan
    shared = np.count_nonzero(patch.cells & mask[patch.rows, patch.columns])
    return shared / (patch.area + area - shared)


def moved(
    mask: NDArray[np.bool_], old: Floats, new: Floats, image_size: tuple[int, int], grid: tuple[int, int]
) -> Patch:
    """A mask that goes along with its box: empty outside of the new one.

    mask: [any, any] on its own grid over the frame; image_size: (height, width) in pixels
    old, new: [4] x1 y1 x2 y2 in pixels; the old one has an area
    grid: (h, w) of the grid that the patch is for
    """
    rows, from_rows = _lines(old[1::2], new[1::2], image_size[0], mask.shape[0], grid[0])
    columns, from_columns = _lines(old[0::2], new[0::2], image_size[1], mask.shape[1], grid[1])
    cells = mask[from_rows[:, None], from_columns]
    return Patch(rows, columns, cells, int(np.count_nonzero(cells)))


def _lines(
    old: Floats, new: Floats, pixels: int, cells: int, new_cells: int
) -> tuple[slice, NDArray[np.int64]]:
    """Along one axis: the cells whose centres lie between the new ends, and the cell that each comes from."""
    low, high = float(new[0]), float(new[1])
    cell = pixels / new_cells
    start = min(max(math.ceil(low / cell - 0.5), 0), new_cells)
    stop = min(max(math.ceil(high / cell - 0.5), start), new_cells)
    if start == stop:
        return slice(start, stop), np.zeros(0, np.int64)
    stretch = float(old[1] - old[0]) / (high - low)
    centres = float(old[0]) + ((np.arange(start, stop) + 0.5) * cell - low) * stretch
    # cells from outside of the frame are unknown: the nearest known one stands for them
    return slice(start, stop), (centres * (cells / pixels)).astype(np.int64).clip(0, cells - 1)
