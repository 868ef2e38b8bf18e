"""The network that a training run starts from, its teacher, and the time that the run will take."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterable

import torch

from app.train.settings import Settings
from app.train.watch import RunWatcher
from model.checkpoints.catalog import resolve_weights
from model.checkpoints.yolact import best_state, load_checkpoint, read_checkpoint
from model.config import YolactConfig
from model.errors import ConfigError, DownloadError
from model.network.yolact import Yolact, build_yolact
from model.training.class_start import KnownClasses, start_classes
from model.training.data.loader import Batch
from model.training.distributed import from_first, is_first
from model.training.dry_run import check_norm_values, seconds_an_iteration
from model.training.initialisation import initialise_from
from model.training.pretrained import load_imagenet
from model.training.recipe import Recipe, Stage
from model.training.saved_run import SavedRun

# below this many images a device the statistics of a batch are too coarse to train given norms on (published)
SMALLEST_BATCH_FOR_NORMS = 6
# for what the machine does else meanwhile, and for measurements
MARGIN = 1.15
# what new classes start from: so many views of each image, and no more than that in all
VIEWS_AN_IMAGE, MOST_VIEWS = 4, 256


def fitted(
    network: Yolact,
    recipe: Recipe,
    batches: Callable[[Stage, int], Iterable[Batch]],
    device: torch.device,
    watcher: RunWatcher,
) -> Recipe:
    """The recipe with as many iterations as its minutes allow; says how long it will take."""
    started = time.perf_counter()
    seconds = seconds_an_iteration(network, recipe, batches, device) * MARGIN
    if recipe.minutes:
        left = max(recipe.minutes * 60 - from_first(time.perf_counter() - started), 0)
        recipe = recipe.with_iterations(max(min(recipe.iterations, int(left / seconds)), 1))
    if is_first():
        watcher.expect(recipe.iterations)
        told = f"about {_duration(recipe.iterations * seconds)} for {recipe.iterations} iterations of "
        or_less = ", or less where they bring nothing" if recipe.patience else ""
        watcher.on_notice(f"{told}{recipe.batch_size} images on this machine{or_less}")
    return recipe


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    if minutes < 1:
        return f"{max(round(seconds), 1)} seconds"
    return f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.1f} hours"


def start_network(
    settings: Settings, config: YolactConfig, recipe: Recipe, saved: SavedRun | None, watcher: RunWatcher
) -> tuple[Yolact, Recipe]:
    """A network to start from, and the recipe for it.

    Raises ConfigError where its norms could not learn from batches of this size.
    """
    torch.manual_seed(settings.seed)
    if saved is not None:
        return build_yolact(config), recipe
    if settings.weights is not None:
        network, pretrained = load_checkpoint(resolve_weights(settings.weights), config), True
    elif settings.init is not None:
        network, pretrained = build_yolact(config), True
        initialise_from(network, settings.init)
    else:
        network = build_yolact(config)
        pretrained = from_first(is_first() and _start_from_imagenet(network, settings.backbone, watcher))
    freeze = pretrained and recipe.batch_size < SMALLEST_BATCH_FOR_NORMS
    recipe = dataclasses.replace(recipe, freeze_norms=freeze)
    check_norm_values(config, recipe)
    return network, recipe


def start_own_classes(
    settings: Settings,
    network: Yolact,
    recipe: Recipe,
    batches: Callable[[Stage, int], Iterable[Batch]],
    images: int,
    device: torch.device,
    watcher: RunWatcher,
) -> None:
    """Start the classes that the weights of `--init` do not know from those that they know; says from which.

    Networks with anchors keep random rows for them.
    """
    if not settings.has_own_classes(network.config.class_names) or network.config.anchor_free is None:
        return
    assert settings.init is not None
    checkpoint = read_checkpoint(resolve_weights(settings.init))
    known = KnownClasses.of(best_state(checkpoint), checkpoint.config.class_names)
    network.to(device)
    views = min(images * VIEWS_AN_IMAGE, MOST_VIEWS)
    if is_first():
        watcher.on_notice(f"new classes are fitted to what the network makes of {views} views of the images")
    drawn = itertools.islice(batches(recipe.stages[-1], 0), -(-views // recipe.batch_size))
    for name, nearest in start_classes(network, known, drawn).items():
        if is_first():
            watcher.on_notice(f"{name!r} starts from the known classes; {nearest!r} answers best to it")


def load_teacher(settings: Settings, config: YolactConfig) -> Yolact | None:
    """The network that stands in for missing labels. Raises ConfigError where the loss knows no teacher."""
    if settings.teacher is None:
        return None
    if config.anchor_free is None:
        raise ConfigError(f"--teacher: the loss of {config.name} knows no teacher; livemask_n, _s and _m do")
    teacher = build_yolact(config)
    initialise_from(teacher, settings.teacher)
    return teacher


def _start_from_imagenet(network: Yolact, wish: str, watcher: RunWatcher) -> bool:
    """Load ImageNet weights and return whether it was done. Raises DownloadError when they must be had."""
    if wish == "scratch":
        return False
    try:
        load_imagenet(network.backbone, network.config.backbone)
    except DownloadError as error:
        if wish == "imagenet":
            raise
        watcher.on_notice(f"{error}; the backbone starts from scratch")
        return False
    return True
