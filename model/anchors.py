"""Anchor boxes: where the network starts from when it predicts a box."""

from __future__ import annotations

import torch
from torch import Tensor

from model.config import AnchorConfig

STRIDES = (8, 16, 32, 64, 128)


def grid_sides(image_size: int) -> tuple[int, ...]:
    """Cells along one side of P3 to P7 for a square input of `image_size` pixels."""
    return tuple(-(-image_size // stride) for stride in STRIDES)


def make_anchors(config: AnchorConfig, image_size: int) -> Tensor:
    """All anchors of a square input: [A, 4] float32, cx cy w h relative to the image, not clipped.

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
