"""Raw outputs, labels and the loss between them, small enough for plain loops."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor

from model.config import LossConfig
from model.network.heads import MaskIoUNet
from model.network.yolact import RawOutputs
from model.training.data.targets import Targets
from model.training.loss import LossTerms, YolactLoss
from tests.small_networks import SPARSE, Decoding, decoding

SIDE, PROTOTYPE_SIDE, GRID = 64, 16, 8
CLASSES = 3
PUBLISHED = LossConfig()


class Rates(MaskIoUNet):
    """Rates a mask by its area, differently for each class."""

    def forward(self, masks: Tensor) -> Tensor:
        share = masks.mean(dim=(1, 2))[:, None]
        return torch.cat([share, share * 2, share * 3], dim=1)


def decoder(loss: LossConfig = PUBLISHED, mask_iou: bool = False) -> Decoding:
    return decoding(dataclasses.replace(SPARSE, loss=loss), Rates(CLASSES) if mask_iou else None)


ANCHORS = decoder().anchors


def outputs(images: int = 1, seed: int = 0) -> RawOutputs:
    """Random, with gradients."""
    g = torch.Generator().manual_seed(seed)
    count = len(ANCHORS)
    values = (
        torch.randn(images, count, 4, generator=g),
        torch.randn(images, count, CLASSES + 1, generator=g),
        torch.randn(images, count, 32, generator=g).tanh(),
        torch.rand(images, PROTOTYPE_SIDE, PROTOTYPE_SIDE, 32, generator=g),
        torch.randn(images, CLASSES, GRID, GRID, generator=g),
    )
    return RawOutputs(*(v.requires_grad_() for v in values))


Box = tuple[float, float, float, float]
OBJECTS: list[tuple[Box, int]] = [
    ((0.05, 0.1, 0.45, 0.6), 0),
    ((0.4, 0.4, 0.95, 0.9), 2),
    ((0.6, 0.1, 0.7, 0.2), 1),
]


def targets(objects: list[tuple[Box, int]], crowds: int = 0, **more: Any) -> Targets:
    """Objects that fill their boxes and a little more; the last `crowds` of them are crowds."""
    masks = torch.zeros(len(objects), SIDE, SIDE)
    for mask, ((x1, y1, x2, y2), _) in zip(masks, objects, strict=True):
        mask[int(y1 * SIDE) : int(y2 * SIDE) + 9, int(x1 * SIDE) : int(x2 * SIDE) + 3] = 1
    return Targets(
        boxes=torch.tensor([box for box, _ in objects]).view(-1, 4),
        classes=torch.tensor([index for _, index in objects], dtype=torch.long),
        masks=masks,
        crowd=torch.arange(len(objects)) >= len(objects) - crowds,
        **more,
    )


def loss_of(
    raw: RawOutputs, all_targets: list[Targets], config: LossConfig = PUBLISHED, **more: Any
) -> LossTerms:
    reader = decoder(config, **more)
    return YolactLoss(reader.config)(raw, reader, all_targets)


def values(terms: LossTerms) -> dict[str, float]:
    return {name: float(value.detach()) for name, value in terms._asdict().items()}
