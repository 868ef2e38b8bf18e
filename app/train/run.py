"""Puts a training run together: settings, network, data, logs; one process, or several under torchrun."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import torch
from torch import distributed as dist

from app.train.settings import Settings
from app.train.start import fitted, load_teacher, start_network, start_own_classes
from app.train.thresholds import set_thresholds
from app.train.validation import Validation, load_validation
from app.train.watch import RunWatcher
from model.atomic import PARTIAL
from model.checkpoints.pins import exclusive
from model.config import YolactConfig
from model.config_limits import check_limits
from model.errors import ConfigError, TrainingError
from model.evaluation.ground_truth import GroundTruth
from model.predictor import select_device
from model.training.data.annotations import AnnotationSet, join
from model.training.data.augment import augmentation
from model.training.data.data_formats import load_all
from model.training.data.dataset import InstanceDataset
from model.training.data.held_out import hold_out
from model.training.data.labelled import measured_set
from model.training.data.loader import Batch, build_loader
from model.training.distributed import is_first, rank, world_size
from model.training.recipe import Recipe, Stage
from model.training.saved_run import SavedRun, read_saved_run
from model.training.trainer import Trainer

# how long the other devices wait while the first one measures
PATIENCE = timedelta(hours=12)


@contextmanager
def build_trainer(
    settings: Settings, output: Path, device: str, workers: int, resume: bool
) -> Iterator[Trainer]:
    """A trainer with its data, logs and, under torchrun, its process group, which ends with the context.

    All that can be wrong with the arguments and the data is told before anything is written to `output`.
    """
    with _process_group(device) as place:
        last = output / "last.pt"
        saved = read_saved_run(last) if resume and last.is_file() else None
        annotations = read_annotations(settings)
        config = _config(settings, annotations, saved)
        annotations, held = _split(settings, annotations)
        validation = _validation(settings, config, output, place, held) if is_first() else None
        recipe = saved.recipe if saved is not None else _recipe(settings, annotations)
        with _folder(output), RunWatcher(output, recipe.iterations, validation) as watcher:
            if is_first():
                watcher.on_notice("\n".join(annotations.summary()))
                if held is not None:
                    watcher.on_notice(f"{len(held.images)} more images are held out, to measure on")
                elif validation is not None:
                    for skipped in validation.labels.skipped:
                        watcher.on_notice(f"{validation.labels.file.name}: left out {skipped}")
            network, recipe = start_network(settings, config, recipe, saved, watcher)
            batches = Batches(annotations, config, recipe, workers, place.type == "cuda")
            if saved is None:
                start_own_classes(settings, network, recipe, batches, len(annotations), place, watcher)
            if saved is None and (recipe.patience or recipe.minutes):
                recipe = fitted(network, recipe, batches, place, watcher)
            trainer = Trainer(
                network,
                recipe,
                batches,
                output,
                watcher,
                place,
                settings.saves(recipe),
                settings.licence,
                fingerprint(annotations),
                load_teacher(settings, config),
            )
            if saved is not None:
                trainer.resume(saved)
            if is_first():
                if not resume:
                    settings.write(output)
                watcher.start(trainer.iteration)
            yield trainer
            if trainer.finished and validation is not None and settings.has_own_classes(config.class_names):
                set_thresholds(trainer.final, validation, watcher.on_notice)


@dataclass(frozen=True)
class Batches:
    """Makes the loader of a stage, from an iteration on."""

    annotations: AnnotationSet
    config: YolactConfig
    recipe: Recipe
    workers: int
    pin_memory: bool

    def __call__(self, stage: Stage, iteration: int) -> Iterable[Batch]:
        """Endless batches, those of this process under torchrun."""
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
            rank=rank(),
            world_size=world_size(),
            workers=self.workers,
            pin_memory=self.pin_memory,
        )


@contextmanager
def _process_group(device: str) -> Iterator[torch.device]:
    """Joins the other processes when torchrun started this one."""
    place = select_device(device)
    if "LOCAL_RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield place
        return
    if place.type == "cuda":
        place = select_device(f"cuda:{os.environ['LOCAL_RANK']}")
        torch.cuda.set_device(place)
    dist.init_process_group("nccl" if place.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield place
    finally:
        dist.destroy_process_group()


@contextmanager
def _folder(output: Path) -> Iterator[None]:
    """Makes the run's folder and keeps other runs out of it; the first process does so for all."""
    if not is_first():
        yield
        return
    with ExitStack() as held:
        try:
            output.mkdir(parents=True, exist_ok=True)
            held.enter_context(exclusive(output / ".guard", wait=False))
            for left_by_a_killed_run in output.glob(f".*{PARTIAL}"):
                left_by_a_killed_run.unlink()
        except BlockingIOError as error:
            raise TrainingError(f"{output}: another process trains there; wait for it or stop it") from error
        except OSError as error:
            raise TrainingError(f"{output}: cannot be written: {error.strerror or error}") from error
        yield


def read_annotations(settings: Settings) -> AnnotationSet:
    """The data sets as one. Raises DataError or ConfigError where they cannot be."""
    sets = load_all(settings.data, settings.classes, settings.renamed(), settings.images)
    joined = join(sets, settings.data_weight or None)
    for index, name in enumerate(joined.class_names):
        if all(image.labelled is not None and index not in image.labelled for image in joined.images):
            raise ConfigError(f"none of the data sets labels the class {name!r}")
    return joined


def fingerprint(annotations: AnnotationSet) -> str:
    """Return the number of images and a digest of their names in order, on which batches depend."""
    names = "\n".join(image.name for image in annotations.images)
    digest = hashlib.sha256(names.encode(errors="surrogateescape")).hexdigest()
    return f"{len(annotations)} images, digest {digest[:16]}"


def _split(settings: Settings, annotations: AnnotationSet) -> tuple[AnnotationSet, GroundTruth | None]:
    """The images that are trained on, and those that are held out to be measured on, if any."""
    share = settings.held_out(annotations.class_names)
    if not share:
        return annotations, None
    kept, held = hold_out(annotations, share, settings.seed)
    return kept, measured_set(held, Path(settings.data[0]))


def _validation(
    settings: Settings, config: YolactConfig, output: Path, device: torch.device, held: GroundTruth | None
) -> Validation | None:
    if held is None:
        return load_validation(settings, config, output, device)
    return Validation(held, output / "previews", device)


def _recipe(settings: Settings, annotations: AnnotationSet) -> Recipe:
    recipe = settings.recipe(annotations.class_names, len(annotations))
    return recipe.for_devices(world_size())


def _config(settings: Settings, annotations: AnnotationSet, saved: SavedRun | None) -> YolactConfig:
    if saved is None:
        config = settings.network_config(annotations.class_names)
        check_limits(config)
        return config
    if saved.config.class_names != annotations.class_names:
        raise TrainingError(
            f"the run learned {', '.join(saved.config.class_names)}, but its data set now has the classes "
            f"{', '.join(annotations.class_names)}; restore the data set, or start a new run"
        )
    return saved.config
