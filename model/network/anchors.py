"""Anchor boxes and grid cells, relative to which boxes are predicted."""

from __future__ import annotations

import torch
from torch import Tensor

from model.config import AnchorConfig, YolactConfig
from model.input_shape import InputShape

STRIDES = (8, 16, 32, 64, 128)
ANCHOR_FREE_STRIDES = (8, 16, 32)


def grid_sides(image_size: int) -> tuple[int, ...]:
    """Return the cells along one side of P3 to P7 for a square input of `image_size` pixels."""
    return tuple(-(-image_size // stride) for stride in STRIDES)


def starting_boxes(config: YolactConfig, shape: InputShape) -> Tensor:
    """Return the anchors, or the cells of an anchor-free network, for an input of that shape.

    [A, 4] float32, cx cy w h relative to the input's content, not clipped.
    """
    if config.anchors is not None:
        return make_anchors(config.anchors, shape.padded[0])
    return make_cells(shape)


def make_cells(shape: InputShape) -> Tensor:
    """Return the cells of an anchor-free head's levels: [A, 4] float32, cx cy w h relative to the content.

    Rows are ordered level, y, x. A cell is as large as its level's stride; those of the padding lie beyond 1.
    """
    content = torch.tensor([shape.content[1], shape.content[0]], dtype=torch.float64)
    levels = []
    for stride in ANCHOR_FREE_STRIDES:
        rows, columns = (torch.arange(side // stride, dtype=torch.float64) + 0.5 for side in shape.padded)
        y, x = torch.meshgrid(rows, columns, indexing="ij")
        # [h, w, 2] strides -> [h·w, 2] relative
        centres = torch.stack([x, y], dim=-1).reshape(-1, 2) * stride / content
        levels.append(torch.cat([centres, (stride / content).expand(len(centres), -1)], dim=1))
    return torch.cat(levels).float()


def within_content(cells: Tensor) -> Tensor:
    """Return [A] bool, True for the cells whose centre lies in the content or on its edge."""
    return (cells[:, :2] <= 1).all(-1)


def make_anchors(config: AnchorConfig, image_size: int) -> Tensor:
    """Return all anchors of a square input: [A, 4] float32, cx cy w h relative to the image, not clipped.

    Rows are ordered level, y, x, then side, then ratio.
    """
    levels = zip(grid_sides(image_size), config.sides, strict=True)
    return torch.cat([_level(config, cells, sides) for cells, sides in levels])


def _level(config: AnchorConfig, cells: int, sides: tuple[float, ...]) -> Tensor:
    shapes = torch.tensor([_shape(config, s, r) for s in sides for r in config.ratios], dtype=torch.float64)
    centres = (torch.arange(cells, dtype=torch.float64) + 0.5) / cells
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    # [cells, cells, 1, 2] and [a, 2] -> [cells, cells, a, 4]
    centre = torch.stack([x, y], dim=-1)[:, :, None].expand(-1, -1, len(shapes), -1)
    size = shapes.expand(cells, cells, -1, -1)
    return torch.cat([centre, size], dim=-1).reshape(-1, 4).float()


def _shape(config: AnchorConfig, side: float, ratio: float) -> tuple[float, float]:
    width = side * ratio**0.5 / config.reference_size
    height = width if config.square else side / ratio**0.5 / config.reference_size
    return width, height
