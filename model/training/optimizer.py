"""The optimisers that a recipe can name, and the parts that it leaves as they are."""

from __future__ import annotations

import torch
from torch import nn

from model.errors import ConfigError
from model.training.recipe import FROZEN, Recipe


def build_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """SGD decays every parameter, as published; AdamW spares biases and norms."""
    trained = [p for p in network.parameters() if p.requires_grad]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            trained,
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
        )
    decayed = [p for p in trained if p.ndim > 1]
    spared = [p for p in trained if p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, foreach=True)


def freeze(network: nn.Module, kind: str) -> None:
    """Have the parts of a network that a recipe's `freeze` names take no gradient.

    Raises ConfigError when the network has no such part.
    """
    for name in FROZEN[kind]:
        try:
            network.get_submodule(name).requires_grad_(False)
        except AttributeError as error:
            raise ConfigError(f"freeze {kind!r}: the network has no part {name!r}") from error
