"""How long, how fast and on what a network is trained: plain values, and what follows from them."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal

from model.errors import ConfigError


@dataclass(frozen=True)
class Stage:
    """A part of a run: up to the share `until` (0..1) of its iterations.

    `image_size` is the input's side in pixels, None for the configuration's; `augmentation` a key of
    `model.training.augment.AUGMENTATIONS`.
    """

    until: float
    image_size: int | None
    augmentation: str


@dataclass(frozen=True)
class Recipe:
    """A training run. `batch_size` counts images a device.

    The learning rate rises linearly from `warmup_start` over `warmup_iterations`, then is multiplied by 0.1
    at each of `milestones` ("step") or falls to 0 along half a cosine. `clip_norm` and `ema_decay` 0 are off.
    """

    optimizer: Literal["sgd", "adamw"]
    learning_rate: float
    weight_decay: float
    batch_size: int
    iterations: int
    warmup_iterations: int
    warmup_start: float
    schedule: Literal["step", "cosine"]
    stages: tuple[Stage, ...]
    milestones: tuple[int, ...] = ()
    momentum: float = 0.9
    clip_norm: float = 0.0
    ema_decay: float = 0.0
    precision: Literal["fp32", "bf16"] = "fp32"
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dicts."""
        return dataclasses.asdict(self)

    def for_devices(self, devices: int) -> Recipe:
        """The same training on n devices: n times the learning rate, 1/n of the iterations."""
        return dataclasses.replace(
            self,
            learning_rate=self.learning_rate * devices,
            iterations=-(-self.iterations // devices),
            warmup_iterations=-(-self.warmup_iterations // devices),
            milestones=tuple(-(-m // devices) for m in self.milestones),
        )

    def stage(self, iteration: int) -> Stage:
        """The stage that an iteration (from 0) belongs to."""
        share = iteration / self.iterations
        return next((s for s in self.stages if share < s.until), self.stages[-1])

    def learning_rate_at(self, iteration: int) -> float:
        """The learning rate of an iteration, from 0."""
        if iteration < self.warmup_iterations:
            share = iteration / self.warmup_iterations
            return self.warmup_start + (self.learning_rate - self.warmup_start) * share
        if self.schedule == "step":
            return self.learning_rate * 0.1 ** sum(iteration >= m for m in self.milestones)
        left = max(self.iterations - self.warmup_iterations, 1)
        return (
            self.learning_rate * 0.5 * (1 + math.cos(math.pi * (iteration - self.warmup_iterations) / left))
        )

    def check(self) -> None:
        """Raise ConfigError on the first value that no run can have."""
        good = {
            "batch_size": self.batch_size >= 1,
            "iterations": self.iterations >= 1,
            "learning_rate": self.learning_rate > 0,
            "weight_decay": self.weight_decay >= 0,
            "ema_decay": 0 <= self.ema_decay < 1,
            "stages": bool(self.stages),
        }
        for name, holds in good.items():
            if not holds:
                raise ConfigError(f"training recipe: {name} is out of range: {getattr(self, name)!r}")


# as published: 800k iterations at batch 8, Pascal 120k
_PUBLISHED = Recipe(
    optimizer="sgd",
    learning_rate=1e-3,
    weight_decay=5e-4,
    batch_size=8,
    iterations=800_000,
    warmup_iterations=500,
    warmup_start=1e-4,
    schedule="step",
    milestones=(280_000, 600_000, 700_000, 750_000),
    stages=(Stage(1.0, None, "ssd"),),
)
# from scratch on little data: adaptive steps, a small input first, plain pictures at the end
_COMPACT = Recipe(
    optimizer="adamw",
    learning_rate=5e-4,
    weight_decay=0.05,
    batch_size=16,
    iterations=40_000,
    warmup_iterations=500,
    warmup_start=1e-6,
    schedule="cosine",
    stages=(Stage(0.66, 288, "compact"), Stage(0.9, None, "compact"), Stage(1.0, None, "light")),
    clip_norm=10.0,
    ema_decay=0.9998,
    precision="bf16",
)

RECIPES: dict[str, Recipe] = {
    "yolact_resnet50_pascal": dataclasses.replace(
        _PUBLISHED, iterations=120_000, milestones=(60_000, 100_000)
    ),
    "livemask_s": _COMPACT,
    "livemask_n": _COMPACT,
}


def recipe_for(config_name: str) -> Recipe:
    """The default recipe of a configuration: the published one unless it has its own."""
    return RECIPES.get(config_name, _PUBLISHED)
