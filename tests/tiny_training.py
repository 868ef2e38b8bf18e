"""A network and batches so small that a training step takes milliseconds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from model.config import BackboneConfig, YolactConfig
from model.network.yolact import Yolact, build_yolact
from model.training.data.loader import Batch
from model.training.recipe import Recipe, Stage
from model.training.trainer import Trainer
from model.training.watcher import StepReport
from tests.small_networks import COMPACT

SIDE = 64
CPU = torch.device("cpu")
# no thinner: oneDNN's gradients of channels-last convolutions of 8 channels have been seen to corrupt memory
CONFIG = dataclasses.replace(
    COMPACT,
    name="tiny",
    image_size=SIDE,
    backbone=BackboneConfig("resnet18", width=16),
    class_names=("disc", "box"),
    fpn_channels=16,
    num_prototypes=4,
    protonet_channels=(16,),
    protonet_out_channels=16,
)
RECIPE = Recipe(
    optimizer="sgd",
    learning_rate=1e-3,
    weight_decay=5e-4,
    batch_size=2,
    iterations=6,
    warmup_iterations=2,
    warmup_start=1e-4,
    schedule="cosine",
    stages=(Stage(1.0, None, "none"),),
    clip_norm=10.0,
    ema_decay=0.9,
)


def make_network(config: YolactConfig = CONFIG, seed: int = 0) -> Yolact:
    torch.manual_seed(seed)
    return build_yolact(config)


def make_batch(seed: int, side: int = SIDE, images: int = 2, **changes: Any) -> Batch:
    """One box an image, with its mask, on noise; the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    pictures = torch.randint(0, 256, (images, 3, side, side), generator=generator, dtype=torch.uint8)
    corners = torch.rand(images, 2, generator=generator) * 0.4
    boxes = torch.cat([corners, corners + 0.3 + torch.rand(images, 2, generator=generator) * 0.3], dim=1)
    masks = torch.zeros(images, side, side, dtype=torch.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, (boxes * side).int().tolist(), strict=True):
        mask[y1:y2, x1:x2] = 1
    values: dict[str, Any] = {
        "images": pictures,
        "counts": torch.ones(images, dtype=torch.int64),
        "boxes": boxes,
        "classes": torch.randint(0, 2, (images,), generator=generator),
        "masks": masks,
        "crowd": torch.zeros(images, dtype=torch.bool),
        "has_mask": torch.ones(images, dtype=torch.bool),
        "labelled": torch.ones(images, 2, dtype=torch.bool),
        "exhaustive": torch.ones(images, dtype=torch.bool),
        "names": tuple(f"{seed}_{n}.png" for n in range(images)),
    }
    return Batch(**(values | changes))


def endless(stage: Stage, iteration: int) -> Iterator[Batch]:
    """What a loader does: batch i depends on i and the stage alone."""
    while True:
        yield make_batch(iteration, stage.image_size or SIDE)
        iteration += 1


class Recorder:
    """A watcher that remembers all it is told."""

    def __init__(self) -> None:
        self.reports: list[StepReport] = []
        self.notices: list[str] = []
        self.checkpoints: list[tuple[int, Yolact]] = []

    @property
    def losses(self) -> list[dict[str, float]]:
        return [report.losses for report in self.reports]

    def on_step(self, report: StepReport) -> None:
        self.reports.append(report)

    def on_notice(self, text: str) -> None:
        self.notices.append(text)

    def on_checkpoint(self, iteration: int, network: Yolact) -> None:
        self.checkpoints.append((iteration, network))


def make_trainer(
    output: Path,
    recipe: Recipe = RECIPE,
    network: Yolact | None = None,
    batches: Any = endless,
    save_every: int = 500,
) -> tuple[Trainer, Recorder]:
    watcher = Recorder()
    network = make_network() if network is None else network
    return Trainer(network, recipe, batches, output, watcher, CPU, save_every), watcher
