"""What decides a training run's result, as its folder keeps it: `run.json`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from model.config import YolactConfig, preset
from model.config_limits import check_input_size
from model.errors import ConfigError, TrainingError
from model.training.augment import augmentation
from model.training.recipe import Recipe, Stage, check_stages, recipe_for

FILE = "run.json"


@dataclass(frozen=True)
class Settings:
    """Fields are the command's arguments; None stands for what configuration and recipe say."""

    config: str
    data: list[str]
    data_weight: list[float] = field(default_factory=list)
    images: str | None = None
    classes: list[str] | None = None
    rename: list[str] = field(default_factory=list)
    val: str | None = None
    val_images: str | None = None
    val_limit: int | None = None
    weights: str | None = None
    init: str | None = None
    teacher: str | None = None
    freeze: str | None = None
    backbone: str = "auto"
    iterations: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    warmup: int | None = None
    ema: float | None = None
    precision: str | None = None
    image_size: int | None = None
    stages: str | None = None
    seed: int = 0
    save_every: int = 500
    licence: str = ""

    @staticmethod
    def from_arguments(arguments: Mapping[str, Any]) -> Settings:
        """The settings of the command's arguments, made fit for json. Raises ConfigError on bad ones."""
        values = {name: value for name, value in _plain(arguments).items() if value is not None}
        if "config" not in values or not values["data"]:
            raise ConfigError("a new run needs --config and --data; to go on with one, add --resume")
        settings = Settings(**values)
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

    def network_config(self, class_names: tuple[str, ...]) -> YolactConfig:
        """The preset for these classes, with the input size that was asked for."""
        config = preset(self.config)
        size = self.image_size or config.image_size
        return dataclasses.replace(config, class_names=class_names, image_size=size)

    def recipe(self) -> Recipe:
        """The configuration's recipe with the changes that were asked for. Raises ConfigError on bad ones."""
        recipe = recipe_for(self.config)
        if self.iterations is not None:
            recipe = recipe.with_iterations(self.iterations)
        if self.image_size is not None:
            recipe = recipe.with_stages_scaled(self.image_size / preset(self.config).image_size)
        changes = {
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "warmup_iterations": self.warmup,
            "ema_decay": self.ema,
            "precision": self.precision,
            "stages": None if self.stages is None else parse_stages(self.stages),
            "seed": self.seed,
            "freeze": self.freeze,
        }
        recipe = dataclasses.replace(recipe, **{k: v for k, v in changes.items() if v is not None})
        recipe.check()
        return recipe

    def renamed(self) -> dict[str, str]:
        """Names of the data's classes -> the names to learn them by."""
        return dict(pair.split("=", 1) for pair in self.rename)

    def write(self, folder: Path) -> None:
        """Keep the settings in a run's folder; the file is there as a whole or not at all.

        Raises TrainingError when it cannot be written.
        """
        text = json.dumps(dataclasses.asdict(self), indent=2)
        draft = folder / f".{FILE}.partial"
        try:
            draft.write_text(text + "\n", encoding="utf-8")
            draft.replace(folder / FILE)
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
        if self.weights is not None and self.backbone != "auto":
            raise ConfigError(f"--weights hold a backbone already; leave out --backbone {self.backbone}")
        if self.val is None and (self.val_images or self.val_limit):
            raise ConfigError("--val-images and --val-limit say how to measure on --val, which is not given")
        self._check_sizes()

    def _check_sizes(self) -> None:
        config = preset(self.config)
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
    """Those of the arguments that are settings, as json has them; paths no longer hang on the folder."""
    values = {f.name: arguments[f.name] for f in fields(Settings)}
    values = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
    for name in ("images", "val", "val_images", "weights", "init", "teacher"):
        if values[name] and Path(values[name]).exists():  # else it is a name of the catalogue, or an error
            values[name] = str(Path(values[name]).resolve())
    values["data"] = [str(Path(path).resolve()) for path in values["data"]]
    return values
