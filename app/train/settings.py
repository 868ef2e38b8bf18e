"""The settings that decide a training run's result, kept in its folder as `run.json`."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from model.atomic import write_bytes
from model.checkpoints.catalog import resolve_weights
from model.checkpoints.yolact import read_config
from model.config import YolactConfig, preset
from model.config_limits import check_input_size
from model.errors import ConfigError, TrainingError
from model.training.data.augment import augmentation
from model.training.initialisation import is_graph, same_network
from model.training.recipe import Recipe, Stage, check_stages, recipe_for, recipe_for_own_classes

FILE = "run.json"
# of a run for own classes: what is held out where there is no --val, and how often it is measured
HELD_OUT = 0.2
MEASUREMENTS = 5
SAVE_EVERY = 500


@dataclass(frozen=True)
class Settings:
    """Fields are the command's arguments; None stands for what configuration and recipe say."""

    config: str | None
    data: list[str]
    data_weight: list[float] = field(default_factory=list)
    images: str | None = None
    classes: list[str] | None = None
    rename: list[str] = field(default_factory=list)
    val: str | None = None
    val_images: str | None = None
    val_limit: int | None = None
    val_share: float | None = None
    weights: str | None = None
    init: str | None = None
    teacher: str | None = None
    freeze: str | None = None
    detector_rate: float | None = None
    backbone: str = "auto"
    iterations: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    warmup: int | None = None
    patience: int | None = None
    minutes: float | None = None
    ema: float | None = None
    precision: str | None = None
    image_size: int | None = None
    stages: str | None = None
    seed: int = 0
    save_every: int | None = None
    licence: str = ""

    @staticmethod
    def from_arguments(arguments: Mapping[str, Any]) -> Settings:
        """The settings of the command's arguments, made fit for json. Raises ConfigError on bad ones."""
        values = {name: value for name, value in _plain(arguments).items() if value is not None}
        if not ("config" in values or "init" in values) or not values["data"]:
            raise ConfigError(
                "a new run needs --config and --data, or --init with a checkpoint in place of --config; "
                "to go on with one, add --resume"
            )
        if "init" not in values:  # else it follows from the length of the run
            values.setdefault("save_every", SAVE_EVERY)
        settings = Settings(**{"config": None, **values})
        settings._check()
        return settings

    def require_same(self, arguments: Mapping[str, Any]) -> None:
        """Raise ConfigError when an argument that was given is not what the run was started with."""
        for name, value in _plain(arguments).items():
            mine = _plain(dataclasses.asdict(self))[name]
            if value not in (None, [], mine):
                option = "--" + name.replace("_", "-")
                raise ConfigError(
                    f"--resume goes on with the run as it was started, with {option} {mine}, not {value}; "
                    f"leave {option} out, or start a new run"
                )

    def base_config(self) -> YolactConfig:
        """The network's configuration, but for its classes and input size: the preset, or that of `init`.

        Raises ConfigError where there is neither, or where the two are different networks, and
        CheckpointError and DownloadError where `init` cannot be read.
        """
        given = self.given_config
        if self.config is not None:
            config = preset(self.config)
            if given is not None and not same_network(config, given):
                raise ConfigError(
                    f"--init {self.init} holds {given.name}, which is another network than "
                    f"--config {self.config}; leave out --config to go on with {given.name}"
                )
            return config
        if given is None:
            raise ConfigError(
                f"--init {self.init} is a graph, which does not say what is built on it; add --config, such "
                "as --config livemask_s"
            )
        return given

    @cached_property
    def given_config(self) -> YolactConfig | None:
        """The configuration of the checkpoint that the run starts from with `init`, None without one."""
        return None if self.init is None or is_graph(self.init) else read_config(resolve_weights(self.init))

    def network_config(self, class_names: tuple[str, ...]) -> YolactConfig:
        """The network for these classes, with the input size that was asked for.

        Thresholds that were found for other classes are dropped.
        """
        config = self.base_config()
        detection = config.detection
        if config.class_names != class_names:
            detection = dataclasses.replace(detection, class_thresholds=())
        size = self.image_size or config.image_size
        return dataclasses.replace(config, class_names=class_names, image_size=size, detection=detection)

    def has_own_classes(self, class_names: tuple[str, ...]) -> bool:
        """Return whether the run teaches a trained network other classes than it knows."""
        given = self.given_config
        return given is not None and given.class_names != class_names

    def held_out(self, class_names: tuple[str, ...]) -> float:
        """The share of the data, 0..1, that is measured on and not trained on."""
        if self.val is not None:
            return 0.0
        if self.val_share is not None:
            return self.val_share
        if self.patience is None:
            return HELD_OUT if self.has_own_classes(class_names) else 0.0
        return HELD_OUT if self.patience else 0.0

    def recipe(self, class_names: tuple[str, ...] | None = None, images: int = 0) -> Recipe:
        """The configuration's recipe, or the short one where `class_names` are others than the weights know,
        with the changes that were asked for. Raises ConfigError on bad ones.
        """
        config = self.base_config()
        recipe = recipe_for(config.name)
        if class_names is not None and self.has_own_classes(class_names):
            recipe = recipe_for_own_classes(images, config.anchor_free is not None)
            if self.val is None and not self.held_out(class_names):
                recipe = dataclasses.replace(recipe, patience=0)
        if self.freeze is not None:
            stages = tuple(dataclasses.replace(stage, freeze="none") for stage in recipe.stages)
            recipe = dataclasses.replace(recipe, stages=stages)
        if self.iterations is not None:
            recipe = recipe.with_iterations(self.iterations)
        if self.image_size is not None:
            recipe = recipe.with_stages_scaled(self.image_size / config.image_size)
        changes: dict[str, Any] = {
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "detector_rate": self.detector_rate,
            "warmup_iterations": self.warmup,
            "patience": self.patience,
            "minutes": self.minutes,
            "ema_decay": self.ema,
            "precision": self.precision,
            "stages": None if self.stages is None else parse_stages(self.stages),
            "seed": self.seed,
            "freeze": self.freeze,
        }
        recipe = dataclasses.replace(recipe, **{k: v for k, v in changes.items() if v is not None})
        recipe.check()
        return recipe

    def saves(self, recipe: Recipe) -> int:
        """Return the number of iterations between saves, each with a measurement."""
        if self.save_every is not None:
            return self.save_every
        return min(SAVE_EVERY, max(recipe.iterations // MEASUREMENTS, 10)) if recipe.patience else SAVE_EVERY

    def renamed(self) -> dict[str, str]:
        """Names of the data's classes -> the names to learn them by."""
        return dict(pair.split("=", 1) for pair in self.rename)

    def write(self, folder: Path) -> None:
        """Keep the settings in a run's folder; the file is there as a whole or not at all.

        Raises TrainingError when it cannot be written.
        """
        text = json.dumps(dataclasses.asdict(self), indent=2)
        try:
            write_bytes(folder / FILE, f"{text}\n".encode())
        except OSError as error:
            raise TrainingError(
                f"{folder / FILE} cannot be written: {error.strerror or error}; free some space or choose "
                "another --output"
            ) from error

    def _check(self) -> None:
        if self.data_weight and (len(self.data_weight) != len(self.data) or not min(self.data_weight) > 0):
            raise ConfigError(
                f"expected one positive --data-weight for each --data, {len(self.data)} in all, "
                f"got {self.data_weight}"
            )
        if any("=" not in pair for pair in self.rename):
            raise ConfigError(f"expected --rename FROM=TO, got {' '.join(self.rename)}")
        self._check_start()
        self._check_measuring()
        if self.val is None and (self.val_images or self.val_limit):
            raise ConfigError("--val-images and --val-limit say how to measure on --val, which is not given")
        self._check_sizes()

    def _check_start(self) -> None:
        if self.weights is not None and self.init is not None:
            raise ConfigError(
                "--weights and --init both say what to start from; --weights is for the same classes, --init "
                "for any: leave out one"
            )
        for option, value in (("--weights", self.weights), ("--init", self.init)):
            if value is not None and self.backbone != "auto":
                raise ConfigError(f"{option} brings a backbone already; leave out --backbone {self.backbone}")

    def _check_measuring(self) -> None:
        if self.val_share is not None and not 0 <= self.val_share <= 0.9:
            raise ConfigError(f"--val-share is a share of the images, 0 to 0.9, got {self.val_share}")
        if self.val is not None and self.val_share:
            raise ConfigError("--val and --val-share both say what to measure on; leave out one")
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise ConfigError(f"--minutes must be more than 0, got {self.minutes}")
        if self.patience and self.val is None and self.val_share == 0:
            raise ConfigError("--patience counts measurements; say on what with --val or --val-share")

    def _check_sizes(self) -> None:
        config = self.base_config()
        sizes = [self.image_size or config.image_size, *(s.image_size for s in self.recipe().stages)]
        for size in sizes:
            if size is not None:
                check_input_size(config, size)


def parse_stages(text: str) -> tuple[Stage, ...]:
    """`0.7:288:compact,1:416:light` as stages. Raises ConfigError on anything else."""
    try:
        parts = [part.split(":") for part in text.split(",")]
        stages = tuple(Stage(float(until), int(size), kind.strip()) for until, size, kind in parts)
    except ValueError:
        raise ConfigError(f"expected stages such as 0.7:288:compact,1:416:light, got {text!r}") from None
    check_stages(stages)
    for stage in stages:
        augmentation(stage.augmentation)
    return stages


def load_settings(folder: Path) -> Settings:
    """The settings of the run in a folder. Raises TrainingError when there is none."""
    file = folder / FILE
    try:
        return Settings(**json.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise TrainingError(f"{folder}: holds no run to go on with; expected its {FILE}") from error
    except (ValueError, TypeError) as error:
        raise TrainingError(f"{file}: not the settings of a run ({error})") from error


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that are settings, as plain values; paths that exist become absolute."""
    values = {f.name: arguments[f.name] for f in fields(Settings)}
    values = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
    for name in ("images", "val", "val_images", "weights", "init", "teacher"):
        if values[name] and Path(values[name]).exists():  # else it is a name of the catalogue, or an error
            values[name] = str(Path(values[name]).resolve())
    values["data"] = [str(Path(path).resolve()) for path in values["data"]]
    return values
