"""Whether the batches of a run hold enough for the batch norms that learn from them."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor, nn

from model.config import YolactConfig
from model.errors import ConfigError
from model.network.yolact import Yolact, build_yolact
from model.training.optimizer import enter
from model.training.recipe import Recipe


def check_norm_values(config: YolactConfig, recipe: Recipe) -> None:
    """Raise ConfigError where a norm would see one value a channel, which has no spread to divide by.

    Of several images a norm sees as many values at least. Draws no random number.
    """
    if recipe.batch_size > 1:
        return
    # deformable convolutions know nothing of tensors without values
    device = torch.device("cpu" if config.backbone.deformable_interval else "meta")
    with torch.random.fork_rng(devices=[]), device, torch.no_grad():
        _run(build_yolact(config), recipe, device)


def _run(network: Yolact, recipe: Recipe, device: torch.device) -> None:
    """A forward pass of each stage."""
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
    """Names the norm."""


@dataclasses.dataclass(frozen=True)
class _Check:
    name: str

    def __call__(self, norm: nn.Module, inputs: tuple[Any, ...]) -> None:
        values: Tensor = inputs[0]
        if norm.training and values.numel() == values.shape[1]:
            raise _OneValueError(self.name)
