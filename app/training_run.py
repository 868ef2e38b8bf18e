"""Puts a training run together: settings, network, data, logs; one process, or several under torchrun."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import distributed as dist

from app.training_watch import RunWatcher, Validation
from model.checkpoint import load_checkpoint
from model.config import YolactConfig, preset
from model.errors import ConfigError, DownloadError, TrainingError
from model.predictor import select_device
from model.training.annotations import AnnotationSet, join
from model.training.augment import augmentation
from model.training.data_formats import load_annotations
from model.training.dataset import InstanceDataset
from model.training.loader import Batch, build_loader
from model.training.pretrained import load_imagenet
from model.training.recipe import Recipe, Stage, recipe_for
from model.training.trainer import Trainer
from model.yolact import Yolact, build_yolact

# below this many images a device the statistics of a batch are too coarse to train ImageNet's norms on
SMALLEST_BATCH_FOR_NORMS = 6


@dataclass(frozen=True)
class Settings:
    """What decides a run's result; kept in its folder as `run.json`. Fields are the command's arguments."""

    config: str
    data: list[str]
    data_weight: list[float]
    images: str | None
    classes: list[str] | None
    rename: list[str]
    val: str | None
    val_images: str | None
    val_limit: int | None
    weights: str | None
    backbone: str
    iterations: int | None
    batch_size: int | None
    learning_rate: float | None
    warmup: int | None
    ema: float | None
    precision: str | None
    image_size: int | None
    stages: str | None
    seed: int
    save_every: int

    @staticmethod
    def from_arguments(values: dict[str, Any]) -> Settings:
        """The settings of these arguments, made fit for json."""
        return Settings(**{k: list(v) if isinstance(v, tuple) else v for k, v in values.items()})

    def network_config(self) -> YolactConfig:
        """The preset, with the classes and the input size that were asked for."""
        config = preset(self.config)
        if self.classes:
            config = dataclasses.replace(config, class_names=tuple(self.classes))
        return dataclasses.replace(config, image_size=self.image_size or config.image_size)

    def recipe(self) -> Recipe:
        """The configuration's recipe with the changes that were asked for. Raises ConfigError on bad ones."""
        recipe = recipe_for(self.config)
        changes = {
            "iterations": self.iterations,
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "warmup_iterations": self.warmup,
            "ema_decay": self.ema,
            "precision": self.precision,
            "stages": None if self.stages is None else parse_stages(self.stages),
            "seed": self.seed,
        }
        recipe = dataclasses.replace(recipe, **{k: v for k, v in changes.items() if v is not None})
        recipe.check()
        return recipe


def parse_stages(text: str) -> tuple[Stage, ...]:
    """`0.7:288:compact,1:416:light` as stages. Raises ConfigError on anything else."""
    try:
        parts = [part.split(":") for part in text.split(",")]
        stages = tuple(Stage(float(until), int(size), kind) for until, size, kind in parts)
    except ValueError:
        raise ConfigError(f"expected stages such as 0.7:288:compact,1:416:light, got {text!r}") from None
    for stage in stages:
        augmentation(stage.augmentation)
    return stages


def load_settings(output: Path) -> Settings:
    """The settings of the run in a folder. Raises TrainingError when there is none."""
    file = output / "run.json"
    if not file.is_file() or not (output / "last.pt").is_file():
        raise TrainingError(f"{output}: holds no run to go on with; expected its run.json and last.pt")
    return Settings(**json.loads(file.read_text(encoding="utf-8")))


@contextmanager
def build_trainer(
    settings: Settings, output: Path, device: str, workers: int, resume: bool
) -> Iterator[Trainer]:
    """A trainer with its data, logs and, under torchrun, its process group, which ends with the context."""
    with _process_group(device) as place:
        recipe = settings.recipe()
        if dist.is_initialized():
            recipe = recipe.for_devices(dist.get_world_size())
        annotations = _annotations(settings)
        config = dataclasses.replace(settings.network_config(), class_names=annotations.class_names)
        output.mkdir(parents=True, exist_ok=True)
        with RunWatcher(output, recipe, _validation(settings, output, place)) as watcher:
            watcher.on_notice("\n".join(annotations.summary()))
            torch.manual_seed(settings.seed)
            network, pretrained = _network(settings, config, watcher)
            freeze = pretrained and recipe.batch_size < SMALLEST_BATCH_FOR_NORMS
            batches = Batches(annotations, config, recipe, workers)
            trainer = Trainer(network, recipe, batches, output, watcher, place, settings.save_every, freeze)
            if resume:
                trainer.resume(output / "last.pt")
            elif trainer.is_first:
                _write_settings(settings, output)
            watcher.start(trainer.iteration)
            yield trainer


@dataclass(frozen=True)
class Batches:
    """Makes the loader of a stage, from an iteration on."""

    annotations: AnnotationSet
    config: YolactConfig
    recipe: Recipe
    workers: int

    def __call__(self, stage: Stage, iteration: int) -> Iterable[Batch]:
        """Endless batches, those of this process under torchrun."""
        several = dist.is_initialized()
        dataset = InstanceDataset(
            self.annotations,
            self.config,
            augmentation(stage.augmentation),
            self.recipe.seed,
            stage.image_size,
        )
        return build_loader(
            dataset,
            batch_size=self.recipe.batch_size,
            seed=self.recipe.seed,
            start_iteration=iteration,
            rank=dist.get_rank() if several else 0,
            world_size=dist.get_world_size() if several else 1,
            workers=self.workers,
            pin_memory=torch.cuda.is_available(),
        )


@contextmanager
def _process_group(device: str) -> Iterator[torch.device]:
    """Joins the other processes when torchrun started this one."""
    if "LOCAL_RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield select_device(device)
        return
    place = select_device(device)
    if place.type == "cuda":
        place = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(place)
    dist.init_process_group("nccl" if place.type == "cuda" else "gloo")
    try:
        yield place
    finally:
        dist.destroy_process_group()


def _annotations(settings: Settings) -> AnnotationSet:
    if any("=" not in pair for pair in settings.rename):
        raise ConfigError(f"expected --rename FROM=TO, got {settings.rename}")
    remap = dict(pair.split("=", 1) for pair in settings.rename)
    sets = [load_annotations(path, settings.classes, remap, settings.images) for path in settings.data]
    return join(sets, settings.data_weight or None)


def _network(settings: Settings, config: YolactConfig, watcher: RunWatcher) -> tuple[Yolact, bool]:
    """A network to start from, and whether its backbone knows ImageNet."""
    if settings.weights is not None:
        return load_checkpoint(settings.weights, config), True
    network = build_yolact(config)
    if settings.backbone == "scratch":
        return network, False
    try:
        load_imagenet(network.backbone, config.backbone)
    except DownloadError as error:
        if settings.backbone == "imagenet":
            raise
        watcher.on_notice(f"{error}; the backbone starts from scratch")
        return network, False
    return network, True


def _validation(settings: Settings, output: Path, device: torch.device) -> Validation | None:
    if settings.val is None:
        return None
    images = Path(settings.val_images) if settings.val_images else Path(settings.val).parent / "images"
    return Validation(Path(settings.val), images, settings.val_limit, output / "previews", device)


def _write_settings(settings: Settings, output: Path) -> None:
    text = json.dumps(dataclasses.asdict(settings), indent=2)
    (output / "run.json").write_text(text + "\n", encoding="utf-8")
