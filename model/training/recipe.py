"""Recipes of training: length, learning rates and stages, as plain values."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from model.config_limits import LARGEST_INPUT, SMALLEST_INPUT
from model.errors import ConfigError

# greatest share of a run's iterations that a warm-up takes
_MOST_WARMUP = 0.1


# values of `Recipe.freeze` -> the frozen parts of a network
FROZEN: dict[str, tuple[str, ...]] = {
    "none": (),
    "backbone": ("backbone",),
    "detector": ("backbone", "fpn", "head.tower", "head.output"),
}


@dataclass(frozen=True)
class Stage:
    """A part of a run: up to the share `until` (0..1) of its iterations.

    `image_size` is the input's side in pixels, None for the configuration's; `augmentation` a key of
    `model.training.data.augment.AUGMENTATIONS`; `freeze` names parts that are not trained, besides those of
    the recipe, and `rate` multiplies the learning rate.
    """

    until: float
    image_size: int | None
    augmentation: str
    freeze: Literal["none", "backbone", "detector"] = "none"
    rate: float = 1.0


@dataclass(frozen=True)
class Recipe:
    """A training run. `batch_size` counts images a device.

    The learning rate rises linearly from `warmup_start` over `warmup_iterations`, then is multiplied by 0.1
    at each of `milestones` ("step") or falls to 0 along half a cosine. `clip_norm` and `ema_decay` 0 are off.
    `freeze_norms` leaves the backbone's batch norms as they are. `freeze` names the parts that are not
    trained: "backbone", or "detector" for all but the protonet and the mask coefficients; the detector's
    learning rate is `detector_rate` times that of the rest. A run ends early after `patience` measurements in
    a row without a gain, and after `minutes`; 0 is off.
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
    freeze_norms: bool = False
    freeze: Literal["none", "backbone", "detector"] = "none"
    detector_rate: float = 1.0
    patience: int = 0
    minutes: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings, tuples and dicts."""
        return dataclasses.asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Recipe:
        """Invert `to_dict`; settings that `values` lacks get their defaults.

        Raises ConfigError on settings that are unknown, absent or out of range.
        """
        try:
            stages = tuple(Stage(**stage) for stage in values["stages"])
            recipe = Recipe(**{**values, "stages": stages, "milestones": tuple(values["milestones"])})
            recipe.check()
        except (KeyError, TypeError) as error:
            raise ConfigError(f"training recipe: not one of this version ({error})") from error
        return recipe

    def for_devices(self, devices: int) -> Recipe:
        """Return the recipe for n devices: n times the learning rate, 1/n of the iterations.

        The warm-up is not changed, as published.
        """
        return dataclasses.replace(
            self,
            learning_rate=self.learning_rate * devices,
            iterations=-(-self.iterations // devices),
            milestones=tuple(-(-m // devices) for m in self.milestones),
        )

    def with_iterations(self, iterations: int) -> Recipe:
        """Return the recipe with another number of iterations; a warm-up takes at most a tenth of it."""
        share = iterations / self.iterations
        return dataclasses.replace(
            self,
            iterations=iterations,
            milestones=tuple(round(m * share) for m in self.milestones),
            warmup_iterations=min(self.warmup_iterations, int(iterations * _MOST_WARMUP)),
        )

    def with_stages_scaled(self, factor: float) -> Recipe:
        """Return the recipe with input sizes multiplied by `factor`, in steps of 32 pixels."""
        sizes = [s.image_size and max(round(s.image_size * factor / 32) * 32, 32) for s in self.stages]
        stages = zip(self.stages, sizes, strict=True)
        return dataclasses.replace(
            self, stages=tuple(dataclasses.replace(stage, image_size=size) for stage, size in stages)
        )

    def stage(self, iteration: int) -> Stage:
        """Return the stage of an iteration, from 0."""
        share = iteration / self.iterations
        return next((s for s in self.stages if share < s.until), self.stages[-1])

    def learning_rate_at(self, iteration: int) -> float:
        """Return the learning rate of an iteration, from 0."""
        return self._scheduled(iteration) * self.stage(iteration).rate

    def _scheduled(self, iteration: int) -> float:
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
        """Raise ConfigError on the first value that is out of range."""
        good = {
            "optimizer": self.optimizer in ("sgd", "adamw"),
            "learning_rate": 0 < self.learning_rate < math.inf,
            "weight_decay": 0 <= self.weight_decay < math.inf,
            "batch_size": self.batch_size >= 1,
            "iterations": self.iterations >= 1,
            "warmup_iterations": self.warmup_iterations >= 0,
            "warmup_start": 0 <= self.warmup_start < math.inf,
            "schedule": self.schedule in ("step", "cosine"),
            "milestones": all(a <= b for a, b in pairwise(self.milestones)),
            "momentum": 0 <= self.momentum < 1,
            "clip_norm": 0 <= self.clip_norm < math.inf,
            "ema_decay": 0 <= self.ema_decay < 1,
            "precision": self.precision in ("fp32", "bf16"),
            "seed": self.seed >= 0,
            "freeze": self.freeze in FROZEN,
            "detector_rate": 0 < self.detector_rate < math.inf,
            "patience": self.patience >= 0,
            "minutes": 0 <= self.minutes < math.inf,
        }
        for name, holds in good.items():
            if not holds:
                raise ConfigError(f"training recipe: {name} is out of range: {getattr(self, name)!r}")
        check_stages(self.stages)


def check_stages(stages: tuple[Stage, ...]) -> None:
    """Raise ConfigError unless the stages follow each other to the end of the run."""
    ends = [0.0, *(stage.until for stage in stages)]
    if ends[-1] != 1 or not all(a < b for a, b in pairwise(ends)):
        raise ConfigError(
            f"training stages must end at growing shares of the run, the last at 1, got {ends[1:]}"
        )
    for stage in stages:
        if stage.image_size is not None and not SMALLEST_INPUT <= stage.image_size <= LARGEST_INPUT:
            raise ConfigError(
                f"a training stage's input size must be {SMALLEST_INPUT} to {LARGEST_INPUT} pixels, "
                f"got {stage.image_size}"
            )
        if stage.freeze not in FROZEN or not 0 < stage.rate < math.inf:
            raise ConfigError(
                f"a training stage freezes one of {', '.join(FROZEN)} and has a positive rate, "
                f"got {stage.freeze!r} and {stage.rate!r}"
            )


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
# from scratch on little data: AdamW, a small input first, little augmentation at the end
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

# from a trained detector: everything at a low rate
_FINE_TUNED = dataclasses.replace(
    _COMPACT,
    learning_rate=1e-3,
    batch_size=8,
    iterations=6_000,
    warmup_iterations=100,
    stages=(Stage(0.8, None, "crowded"), Stage(1.0, None, "plain")),
    ema_decay=0.999,
)
# for own classes with few images: little augmentation and a low rate, so that nothing is unlearned
_STARTED_CLASSES = dataclasses.replace(
    _FINE_TUNED,
    learning_rate=5e-5,
    stages=(Stage(1.0, None, "plain", freeze="backbone"),),
    ema_decay=0.98,
    precision="fp32",
    patience=2,
)
_RANDOM_CLASSES = dataclasses.replace(
    _STARTED_CLASSES,
    learning_rate=1e-3,
    stages=(
        Stage(0.4, None, "mild", freeze="backbone"),
        Stage(0.85, None, "mild", rate=0.3),
        Stage(1.0, None, "light", rate=0.3),
    ),
    ema_decay=0.99,
)
# epochs
_EPOCHS_OF_STARTED_CLASSES, _EPOCHS_OF_RANDOM_CLASSES = 20, 50
_FEWEST_ITERATIONS, _MOST_ITERATIONS = 40, 5_000

RECIPES: dict[str, Recipe] = {
    "yolact_resnet50_pascal": dataclasses.replace(
        _PUBLISHED, iterations=120_000, milestones=(60_000, 100_000)
    ),
    "livemask_n": _FINE_TUNED,
    "livemask_s": _FINE_TUNED,
    "livemask_m": _FINE_TUNED,
}


def recipe_for(config_name: str) -> Recipe:
    """Return the default recipe of a configuration: its own or the published one."""
    return RECIPES.get(config_name, _PUBLISHED)


def recipe_for_own_classes(images: int, anchor_free: bool) -> Recipe:
    """Return a short recipe to train a network that knows other classes, by the number of images.

    A network without anchors starts from the classes of `model.training.class_start`, so that a low rate
    suffices, with the backbone frozen. With anchors, the new head is trained on a frozen backbone, then
    everything at a third of the rate. Both end early after two measurements in a row without a gain.
    """
    recipe = _STARTED_CLASSES if anchor_free else _RANDOM_CLASSES
    epochs = _EPOCHS_OF_STARTED_CLASSES if anchor_free else _EPOCHS_OF_RANDOM_CLASSES
    iterations = max(images * epochs // recipe.batch_size, _FEWEST_ITERATIONS)
    return recipe.with_iterations(min(iterations, _MOST_ITERATIONS))
