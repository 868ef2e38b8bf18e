"""Masks on the CPU: assembly, cropping and resizing, as `model.detection.masks` does them for tensors."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.detections import MaskCrop
from model.host.outputs import Floats

CROP_PADDING = 1.0  # prototype pixels around a box (as released)
PLACE_SCALE = 8.0  # so that a coefficient of 1 outweighs the prototypes
LEAST_HALF_SIDE = 0.004  # of a box, relative to the image: a pixel or two


class MaskPatch(NamedTuple):
    """The part of a mask on the prototypes' grid that its bounds enclose; outside of it the mask is 0.

    probabilities: [h, w] float32, 0..1
    y, x:          row and column of its first pixel in the grid
    bounds:        x1 y1 x2 y2 in prototype pixels, not rounded
    """

    probabilities: Floats
    y: int
    x: int
    bounds: tuple[float, float, float, float]


def assemble(prototypes: Floats, coefficients: Floats, boxes: Floats) -> Floats:
    """Return the logits of all masks, P Cᵀ (paper, equation 1): [N, Hp, Wp] float32, not cropped.

    prototypes:   [Hp, Wp, K]
    coefficients: [N, K], or [N, K + 6] with the terms of a polynomial of each pixel's place in its box
    boxes:        [N, 4] x1 y1 x2 y2, relative to the prototypes
    """
    height, width, count = prototypes.shape
    # [N, K] x [K, Hp·Wp] -> [N, Hp·Wp]
    logits = coefficients[:, :count] @ prototypes.reshape(-1, count).T
    if coefficients.shape[1] > count:
        logits += place_sums(coefficients[:, count:], boxes, (height, width)).reshape(logits.shape)
    return logits.reshape(-1, height, width)


def place_sums(terms: Floats, boxes: Floats, size: tuple[int, int]) -> Floats:
    """Return what the place of a pixel in its box adds to the logits: [N, Hp, Wp] float32.

    terms: [N, 6], of 1, u, v, u², v² and uv times `PLACE_SCALE`, u and v from -1 to 1 across the box; boxes:
    [N, 4] relative; size: (Hp, Wp)
    """
    return (_of_the_image(terms * PLACE_SCALE, boxes) @ _place_maps(*size)).reshape(-1, *size)


@lru_cache(maxsize=16)
def _place_maps(height: int, width: int) -> Floats:
    """Return 1, x, y, x², y² and xy of each pixel's centre, 0..1: [6, height·width]."""
    y, x = np.meshgrid((np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width, indexing="ij")
    maps = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y]).reshape(6, -1)
    return maps.astype(np.float32)


def _of_the_image(terms: Floats, boxes: Floats) -> Floats:
    """Return the coefficients [N, 6] of the same polynomial in x and y, 0..1 across the image."""
    low, high = boxes[:, :2], boxes[:, 2:]
    half = np.maximum((high - low) / 2, LEAST_HALF_SIDE)
    a, c = (1 / half).T
    b, d = (-(low + high) / 2 / half).T
    one, u, v, uu, vv, uv = terms.T
    return np.stack(
        [
            one + u * b + v * d + uu * b * b + vv * d * d + uv * b * d,
            a * (u + 2 * uu * b + uv * d),
            c * (v + 2 * vv * d + uv * b),
            uu * a * a,
            vv * c * c,
            uv * a * c,
        ],
        axis=1,
    )


def crop_bounds(boxes: Floats, height: int, width: int) -> Floats:
    """Return the bounds of cropped masks: [N, 4] x1 y1 x2 y2 in prototype pixels, not rounded.

    boxes: [N, 4] relative corners, in any order. Scaled, padded by one pixel, clamped to the grid.
    """
    cells = np.array([width, height], np.float32)
    low = np.minimum(boxes[:, :2], boxes[:, 2:]) * cells - CROP_PADDING
    high = np.maximum(boxes[:, :2], boxes[:, 2:]) * cells + CROP_PADDING
    bounds = np.concatenate([low, high], axis=1)
    return np.clip(bounds, 0, np.tile(cells, 2))


def inside(bounds: Floats, height: int, width: int) -> NDArray[np.bool_]:
    """Return [N, height, width] bool, True inside bounds [N, 4]: x1 ≤ x < x2 and y1 ≤ y < y2."""
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    x1, y1, x2, y2 = bounds.T[:, :, None]
    return ((y >= y1) & (y < y2))[:, :, None] & ((x >= x1) & (x < x2))[:, None, :]


def patches(logits: Floats, bounds: Floats) -> list[MaskPatch]:
    """Return each mask's part inside its bounds. logits: [N, Hp, Wp]; bounds: [N, 4], in the grid."""
    parts = [cut(one, tuple(edges)) for one, edges in zip(logits, bounds.tolist(), strict=True)]
    return [part._replace(probabilities=sigmoid(part.probabilities)) for part in parts]


def cut(mask: Floats, bounds: tuple[float, float, float, float]) -> MaskPatch:
    """Return the part of a mask [Hp, Wp] inside bounds x1 y1 x2 y2, in the grid, in the same memory."""
    x1, y1, x2, y2 = (math.ceil(edge) for edge in bounds)
    return MaskPatch(mask[y1:y2, x1:x2], y1, x1, bounds)


def sigmoid(values: Floats) -> Floats:
    """Return 1 / (1 + e^-x), float32 of the same shape in memory of its own."""
    with np.errstate(over="ignore"):
        result = np.negative(values)
        np.exp(result, out=result)
        result += 1
        return np.reciprocal(result, out=result)


def enlarge(patch: MaskPatch, grid: tuple[int, int], frame_size: tuple[int, int]) -> MaskCrop:
    """Return a mask at the frame's size, thresholded at 0.5, computed only where it can hold pixels.

    grid: (Hp, Wp) of the prototypes; frame_size: (height, width) in pixels. See `resized`.
    """
    x, y, probabilities = resized(patch, grid, frame_size)
    return MaskCrop(x, y, probabilities > 0.5)


def resized(patch: MaskPatch, grid: tuple[int, int], frame_size: tuple[int, int]) -> tuple[int, int, Floats]:
    """Return the part of a mask that can hold pixels at the frame's size: its corner x, y, and [h, w] floats.

    patch, grid, frame_size: as of `enlarge`. The result equals bilinear resizing of the whole mask with
    half-pixel centres: a product with an interpolation matrix on either side.
    """
    x1, y1, x2, y2 = patch.bounds
    h, w = patch.probabilities.shape
    rows = _reach(y1, y2, grid[0], frame_size[0])
    columns = _reach(x1, x2, grid[1], frame_size[1])
    vertical = _interpolation(frame_size[0], grid[0])[rows, patch.y : patch.y + h]
    horizontal = _interpolation(frame_size[1], grid[1])[columns, patch.x : patch.x + w]
    probabilities = np.asarray(vertical @ patch.probabilities @ horizontal.T, np.float32)
    return columns.start, rows.start, probabilities


def _reach(low: float, high: float, cells: int, pixels: int) -> slice:
    """Return the frame pixels that cells low ≤ i < high influence: half a cell more than their own."""
    scale = pixels / cells
    start = int((low - 0.5) * scale - 0.5)
    stop = int((high + 1.5) * scale - 0.5) + 1
    return slice(min(max(start, 0), pixels), min(max(stop, 0), pixels))


@lru_cache(maxsize=16)
def _interpolation(pixels: int, cells: int) -> Floats:
    """Return the weights of bilinear resizing, [pixels, cells] float32."""
    position = np.clip((np.arange(pixels) + 0.5) * cells / pixels - 0.5, 0, cells - 1)
    return np.maximum(1 - np.abs(position[:, None] - np.arange(cells)), 0).astype(np.float32)
