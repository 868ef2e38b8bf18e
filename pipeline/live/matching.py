"""Which detection of one frame is which of the next, by the overlap of boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]


def box_iou(one: Boxes, other: Boxes) -> NDArray[np.float64]:
    """Overlap over union of each of `one`, [N, 4] x1 y1 x2 y2, with each of `other`, [M, 4]: [N, M], 0..1."""
    a, b = one.astype(np.float64)[:, None], other.astype(np.float64)[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = sides.clip(min=0).prod(axis=-1)
    together = _areas(a) + _areas(b) - shared
    return np.divide(shared, together, out=np.zeros_like(shared), where=together > 0)


def pairs(overlap: NDArray[np.float64], least: float) -> dict[int, int]:
    """Column -> row, each used once, the largest values of `overlap` first, as far as they reach `least`."""
    found: dict[int, int] = {}
    rows, columns = np.nonzero(overlap >= least)
    order = np.argsort(-overlap[rows, columns], kind="stable")
    taken: set[int] = set()
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if row not in taken and column not in found:
            found[column] = row
            taken.add(row)
    return found


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return (boxes[..., 2:] - boxes[..., :2]).clip(min=0).prod(axis=-1)
