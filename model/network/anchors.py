"""Anchor boxes and grid cells (`model.anchors`) as tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from model import anchors
from model.config import AnchorConfig, YolactConfig
from model.input_shape import InputShape


def starting_boxes(config: YolactConfig, shape: InputShape) -> Tensor:
    """Return `model.anchors.starting_boxes` as a tensor on the default device."""
    return torch.tensor(anchors.starting_boxes(config, shape))


def make_cells(shape: InputShape) -> Tensor:
    """Return `model.anchors.make_cells` as a tensor on the default device."""
    return torch.tensor(anchors.make_cells(shape))


def make_anchors(config: AnchorConfig, image_size: int) -> Tensor:
    """Return `model.anchors.make_anchors` as a tensor on the default device."""
    return torch.tensor(anchors.make_anchors(config, image_size))


def within_content(cells: Tensor) -> Tensor:
    """Return [A] bool, True for the cells whose centre lies in the content or on its edge."""
    return (cells[:, :2] <= 1).all(-1)
