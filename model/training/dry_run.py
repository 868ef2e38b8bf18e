"""Dry runs before training: the time that a run will take, and batches too small for batch norms."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from model.config import YolactConfig
from model.errors import ConfigError
from model.network.yolact import Yolact, build_yolact
from model.training.data.loader import Batch
from model.training.distributed import mean
from model.training.norms import NormStatistics
from model.training.optimizer import enter
from model.training.recipe import Recipe, Stage
from model.training.train_step import TrainStep

SLOW = 5.0
"""A step that takes longer, in seconds, is not measured a second time without its set-up."""


def seconds_an_iteration(
    network: Yolact,
    recipe: Recipe,
    batches: Callable[[Stage, int], Iterable[Batch]],
    device: torch.device,
) -> float:
    """Measure the seconds of an iteration, a mean over the recipe's stages, the same on every process.

    The network's weights and statistics are not changed; it stays in training mode, on the device.
    """
    size = network.config.image_size
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    trained = [p for p in network.parameters() if p.requires_grad]
    statistics = NormStatistics(network)
    statistics.keep()
    step = TrainStep(network, recipe.precision)
    drawn: dict[int | None, tuple[Batch, float]] = {}
    taken: dict[tuple[int | None, str], float] = {}
    total, begun = 0.0, 0.0
    for stage in recipe.stages:
        if stage.image_size not in drawn:
            drawn[stage.image_size] = _draw(iter(batches(stage, 0)))
        batch, waited = drawn[stage.image_size]
        kind = (stage.image_size, stage.freeze)
        if kind not in taken:
            enter(network, recipe, stage, size, trained)
            taken[kind] = _step(step, batch, device)
            if taken[kind] < SLOW:
                taken[kind] = _step(step, batch, device)
        # workers prepare a batch while the one before it is learned from
        total += (stage.until - begun) * max(taken[kind], waited)
        begun = stage.until
    network.zero_grad(set_to_none=True)
    statistics.put_back()
    for parameter in trained:
        parameter.requires_grad_(True)
    network.set_image_size(size)
    return float(mean(torch.tensor(total, device=device)))


def _draw(batches: Iterator[Batch]) -> tuple[Batch, float]:
    """Return the second batch, and the seconds that it took after the first one."""
    next(batches)
    started = time.perf_counter()
    return next(batches), time.perf_counter() - started


def _step(step: TrainStep, batch: Batch, device: torch.device) -> float:
    started = time.perf_counter()
    moved = batch.to(device)
    total = step(moved.images, moved.targets, 0).total
    total.backward()
    float(total.detach())  # a GPU is waited for
    return time.perf_counter() - started


def check_norm_values(config: YolactConfig, recipe: Recipe) -> None:
    """Raise ConfigError when a batch norm would get one value a channel, which has no variance.

    This needs a batch of one image. Draws no random number.
    """
    if recipe.batch_size > 1:
        return
    # deformable convolutions do not support the meta device
    device = torch.device("cpu" if config.backbone.deformable_interval else "meta")
    with torch.random.fork_rng(devices=[]), device, torch.no_grad():
        _pass_each_stage(build_yolact(config), recipe, device)


def _pass_each_stage(network: Yolact, recipe: Recipe, device: torch.device) -> None:
    """Run a forward pass of each stage."""
    config = network.config
    trained = list(network.parameters())
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_pre_hook(_Check(name))
    for stage in recipe.stages:
        enter(network, recipe, stage, config.image_size, trained)
        size = stage.image_size or config.image_size
        try:
            network(torch.zeros(1, 3, size, size, device=device))
        except _OneValueError as error:
            raise ConfigError(
                f"--batch-size 1 at an input of {size} pixels leaves the batch norm {error} one value a "
                "channel, of which it cannot learn; take 2 images or more, or a larger --image-size"
            ) from error


class _OneValueError(Exception):
    """Error with the name of the norm."""


@dataclass(frozen=True)
class _Check:
    name: str

    def __call__(self, norm: nn.Module, inputs: tuple[Any, ...]) -> None:
        values: Tensor = inputs[0]
        if norm.training and values.numel() == values.shape[1]:
            raise _OneValueError(self.name)
