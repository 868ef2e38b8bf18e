"""Optimisers of a recipe, frozen parts of a network, and the moving average of its weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from model.errors import ConfigError
from model.network.yolact import Yolact
from model.training.norms import batch_norms
from model.training.recipe import FROZEN, Recipe, Stage


def build_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return the recipe's optimiser; a group's learning rate is the recipe's times its "rate".

    SGD applies weight decay to every parameter, as published; AdamW not to biases and norms.
    """
    groups = list(_groups(network, recipe))
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum)
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, foreach=True)


def _groups(network: nn.Module, recipe: Recipe) -> Iterator[dict[str, Any]]:
    """Yield groups of trained parameters by learning rate and weight decay."""
    detector = tuple(f"{part}." for part in FROZEN["detector"])
    rates = (1.0,) if recipe.detector_rate == 1 else (1.0, recipe.detector_rate)
    for rate in rates:
        trained = [
            p
            for name, p in network.named_parameters()
            if p.requires_grad and (len(rates) == 1 or name.startswith(detector) == (rate != 1))
        ]
        kinds: tuple[tuple[list[nn.Parameter], float], ...]
        if recipe.optimizer == "sgd":
            kinds = ((trained, recipe.weight_decay),)
        else:
            decayed, spared = ([p for p in trained if (p.ndim > 1) == many] for many in (True, False))
            kinds = ((decayed, recipe.weight_decay), (spared, 0.0))
        for parameters, decay in kinds:
            if parameters:
                yield {"params": parameters, "weight_decay": decay, "rate": rate}


def freeze(network: nn.Module, kind: str) -> None:
    """Disable the gradients of the parts of a network that a recipe's `freeze` names.

    Raises ConfigError when the network has no such part.
    """
    for name in FROZEN[kind]:
        try:
            network.get_submodule(name).requires_grad_(False)
        except AttributeError as error:
            raise ConfigError(f"freeze {kind!r}: the network has no part {name!r}") from error


def enter(network: Yolact, recipe: Recipe, stage: Stage, size: int, trained: Sequence[nn.Parameter]) -> None:
    """Prepare a network for a stage: input size, training mode, and frozen parts.

    size:    final input size, for stages without their own
    trained: all parameters that the run trains in any stage
    """
    network.set_image_size(stage.image_size or size)
    network.train()
    for parameter in trained:
        parameter.requires_grad_(True)
    freeze(network, stage.freeze)
    if recipe.freeze_norms or "backbone" in FROZEN[stage.freeze]:
        for norm in batch_norms(network.backbone):
            norm.eval()


class Ema:
    """Exponential moving average of parameters and floating-point buffers; integer buffers are copied.

    The decay rises from a low value to `decay`, so that the initial weights lose their share quickly.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.state = {k: v.detach().clone() for k, v in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Update the average with the network's present weights."""
        self.updates += 1
        weight = 1 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        averaged, present = [], []
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                averaged.append(self.state[name])
                present.append(value.detach())
            else:
                self.state[name].copy_(value)
        torch._foreach_lerp_(averaged, present, weight)

    def load(self, state: Mapping[str, Tensor], updates: int) -> None:
        """Restore a saved average."""
        for name, value in state.items():
            self.state[name].copy_(value)
        self.updates = updates
