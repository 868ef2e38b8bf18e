"""Boxes: conversion between notations, encoding relative to anchors or cells, areas and IoU."""

from __future__ import annotations

import torch
from torch import Tensor

from model.host.boxes import CENTRE_VARIANCE, SIZE_VARIANCE


def to_corners(boxes: Tensor) -> Tensor:
    """Convert boxes [..., 4] from cx cy w h to x1 y1 x2 y2."""
    centre, size = boxes[..., :2], boxes[..., 2:]
    return torch.cat([centre - size / 2, centre + size / 2], dim=-1)


def to_centres(boxes: Tensor) -> Tensor:
    """Convert boxes [..., 4] from x1 y1 x2 y2 to cx cy w h."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return torch.cat([(low + high) / 2, high - low], dim=-1)


def decode(deltas: Tensor, anchors: Tensor) -> Tensor:
    """Apply deltas [..., A, 4] to anchors [A, 4], cx cy w h: [..., A, 4] x1 y1 x2 y2, not clipped."""
    centre = anchors[..., :2] + deltas[..., :2] * CENTRE_VARIANCE * anchors[..., 2:]
    size = anchors[..., 2:] * torch.exp(deltas[..., 2:] * SIZE_VARIANCE)
    return to_corners(torch.cat([centre, size], dim=-1))


def decode_distances(distances: Tensor, cells: Tensor) -> Tensor:
    """Return the boxes of an anchor-free head: [..., A, 4] x1 y1 x2 y2, not clipped.

    distances: [..., A, 4] left, top, right and bottom of a cell's centre, in sides of the cell; cells:
    [..., A, 4] cx cy w h.
    """
    centre, size = cells[..., :2], cells[..., 2:]
    return torch.cat([centre - distances[..., :2] * size, centre + distances[..., 2:] * size], dim=-1)


def encode_distances(boxes: Tensor, cells: Tensor) -> Tensor:
    """Invert `decode_distances`: [..., 4] distances, negative where a centre lies outside of its box.

    boxes: [..., 4] x1 y1 x2 y2; cells: [..., 4] cx cy w h.
    """
    centre, size = cells[..., :2], cells[..., 2:]
    return torch.cat([(centre - boxes[..., :2]) / size, (boxes[..., 2:] - centre) / size], dim=-1)


def encode(boxes: Tensor, anchors: Tensor) -> Tensor:
    """Invert `decode`. boxes: [..., 4] x1 y1 x2 y2, with area; anchors: [..., 4] cx cy w h."""
    target = to_centres(boxes)
    centre = (target[..., :2] - anchors[..., :2]) / (CENTRE_VARIANCE * anchors[..., 2:])
    size = torch.log(target[..., 2:] / anchors[..., 2:]) / SIZE_VARIANCE
    return torch.cat([centre, size], dim=-1)


def areas(boxes: Tensor) -> Tensor:
    """Return the area of boxes [..., 4], x1 y1 x2 y2: [...]."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def intersections(a: Tensor, b: Tensor) -> Tensor:
    """Return the area that each pair of boxes shares: [..., N, M].

    a: [..., N, 4], b: [..., M, 4], x1 y1 x2 y2 both
    """
    # one coordinate at a time: three times as fast on a CPU as pairs of them
    ax1, ay1, ax2, ay2 = a[..., :, None, :].unbind(-1)
    bx1, by1, bx2, by2 = b[..., None, :, :].unbind(-1)
    width = (torch.minimum(ax2, bx2) - torch.maximum(ax1, bx1)).clamp(min=0)
    height = (torch.minimum(ay2, by2) - torch.maximum(ay1, by1)).clamp(min=0)
    return width * height


def pairwise_iou(a: Tensor, b: Tensor) -> Tensor:
    """Return the IoU of each pair of boxes: [..., N, M] in 0..1; 0 where both have no area.

    a: [..., N, 4], b: [..., M, 4], x1 y1 x2 y2 both
    """
    shared = intersections(a, b)
    union = areas(a)[..., :, None] + areas(b)[..., None, :] - shared
    return shared / union.clamp(min=torch.finfo(union.dtype).tiny)


def paired_iou(a: Tensor, b: Tensor) -> Tensor:
    """Return the IoU of each pair of boxes at the same index: [n]. a, b: [n, 4] corners."""
    return pairwise_iou(a[:, None], b[:, None])[:, 0, 0]
