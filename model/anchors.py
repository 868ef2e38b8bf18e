"""Anchor boxes and grid cells, relative to which boxes are predicted, as arrays; imports no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.config import AnchorConfig, YolactConfig
from model.input_shape import InputShape

STRIDES = (8, 16, 32, 64, 128)
ANCHOR_FREE_STRIDES = (8, 16, 32)


def grid_sides(image_size: int) -> tuple[int, ...]:
    """Return the cells along one side of P3 to P7 for a square input of `image_size` pixels."""
    return tuple(-(-image_size // stride) for stride in STRIDES)


def starting_boxes(config: YolactConfig, shape: InputShape) -> NDArray[np.float32]:
    """Return the anchors, or the cells of an anchor-free network, for an input of that shape.

    [A, 4] float32, cx cy w h relative to the input's content, not clipped.
    """
    if config.anchors is not None:
        return make_anchors(config.anchors, shape.padded[0])
    return make_cells(shape)


def make_cells(shape: InputShape) -> NDArray[np.float32]:
    """Return the cells of an anchor-free head's levels: [A, 4] float32, cx cy w h relative to the content.

    Rows are ordered level, y, x. A cell is as large as its level's stride; those of the padding lie beyond 1.
    """
    content = np.array([shape.content[1], shape.content[0]], np.float64)
    levels = []
    for stride in ANCHOR_FREE_STRIDES:
        rows, columns = (np.arange(side // stride) + 0.5 for side in shape.padded)
        y, x = np.meshgrid(rows, columns, indexing="ij")
        # [h, w, 2] strides -> [h·w, 2] relative
        centres = np.stack([x, y], axis=-1).reshape(-1, 2) * stride / content
        sizes = np.broadcast_to(stride / content, centres.shape)
        levels.append(np.concatenate([centres, sizes], axis=1))
    return np.concatenate(levels).astype(np.float32)


def make_anchors(config: AnchorConfig, image_size: int) -> NDArray[np.float32]:
    """Return all anchors of a square input: [A, 4] float32, cx cy w h relative to the image, not clipped.

    Rows are ordered level, y, x, then side, then ratio.
    """
    levels = zip(grid_sides(image_size), config.sides, strict=True)
    return np.concatenate([_level(config, cells, sides) for cells, sides in levels])


def _level(config: AnchorConfig, cells: int, sides: tuple[float, ...]) -> NDArray[np.float32]:
    shapes = np.array([_shape(config, s, r) for s in sides for r in config.ratios], np.float64)
    centres = (np.arange(cells) + 0.5) / cells
    y, x = np.meshgrid(centres, centres, indexing="ij")
    # [cells, cells, 1, 2] and [a, 2] -> [cells, cells, a, 4]
    whole = (cells, cells, len(shapes), 2)
    centre = np.broadcast_to(np.stack([x, y], axis=-1)[:, :, None], whole)
    size = np.broadcast_to(shapes, whole)
    return np.concatenate([centre, size], axis=-1).reshape(-1, 4).astype(np.float32)


def _shape(config: AnchorConfig, side: float, ratio: float) -> tuple[float, float]:
    width = side * ratio**0.5 / config.reference_size
    height = width if config.square else side / ratio**0.5 / config.reference_size
    return width, height
