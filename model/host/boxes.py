"""Boxes as arrays: decoding and IoU, as `model.detection.boxes` does it for tensors."""

from __future__ import annotations

import numpy as np

from model.host.outputs import Floats

# factors of the deltas (SSD, arXiv:1512.02325)
CENTRE_VARIANCE = 0.1
SIZE_VARIANCE = 0.2


def decode(deltas: Floats, anchors: Floats) -> Floats:
    """Apply deltas [A, 4] to anchors [A, 4], cx cy w h: [A, 4] x1 y1 x2 y2, not clipped."""
    centre = anchors[:, :2] + deltas[:, :2] * CENTRE_VARIANCE * anchors[:, 2:]
    with np.errstate(over="ignore", invalid="ignore"):
        half = anchors[:, 2:] * np.exp(deltas[:, 2:] * SIZE_VARIANCE) / 2
        return np.concatenate([centre - half, centre + half], axis=1)


def decode_distances(distances: Floats, cells: Floats) -> Floats:
    """Return the boxes of an anchor-free head: [A, 4] x1 y1 x2 y2, not clipped.

    distances: [A, 4] left, top, right and bottom of a cell's centre, in sides of the cell; cells: [A, 4] cx
    cy w h
    """
    centre, size = cells[:, :2], cells[:, 2:]
    return np.concatenate([centre - distances[:, :2] * size, centre + distances[:, 2:] * size], axis=1)


def pairwise_iou(a: Floats, b: Floats) -> Floats:
    """Return the IoU of each pair of boxes, [N, 4] and [M, 4] x1 y1 x2 y2: [N, M]; 0 where both lack area."""
    ax1, ay1, ax2, ay2 = a.T[:, :, None]
    bx1, by1, bx2, by2 = b.T[:, None, :]
    with np.errstate(over="ignore", invalid="ignore"):
        width = np.maximum(np.minimum(ax2, bx2) - np.maximum(ax1, bx1), 0)
        height = np.maximum(np.minimum(ay2, by2) - np.maximum(ay1, by1), 0)
        shared = width * height
        union = (ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - shared
        return shared / np.maximum(union, np.finfo(np.float32).tiny)
