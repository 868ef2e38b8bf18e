"""Masks made of their parts, step by step: an oracle for what is told of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def rebuilt_masks(
    prototypes: NDArray[np.float32],
    coefficients: NDArray[np.float32],
    boxes: NDArray[np.float32],
    places: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """sigmoid(prototypes · coefficients + places), cropped to boxes and one pixel around them.

    prototypes: [Hp, Wp, K]; coefficients: [N, K]; boxes: [N, 4], x1 y1 x2 y2 in prototype pixels;
    places: [N, Hp, Wp]. Returns [N, Hp, Wp] in 0..1.
    """
    height, width, _ = prototypes.shape
    y, x = np.mgrid[:height, :width]
    masks = np.zeros((len(boxes), height, width), np.float32)
    added = np.zeros_like(masks) if places is None else places
    for mask, row, more, (x1, y1, x2, y2) in zip(masks, coefficients, added, boxes, strict=True):
        left, top = max(x1 - 1, 0), max(y1 - 1, 0)
        right, bottom = min(x2 + 1, width), min(y2 + 1, height)
        inside = (x >= left) & (x < right) & (y >= top) & (y < bottom)
        mask[inside] = 1 / (1 + np.exp(-(prototypes[inside] @ row + more[inside])))
    return masks
