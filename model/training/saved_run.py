"""`last.pt`: the state from which a run is resumed exactly."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from model.atomic import draft
from model.checkpoints.yolact import Checkpoint, read_checkpoint, save_checkpoint
from model.config import YolactConfig
from model.errors import ConfigError, TrainingError
from model.training.early_stop import Verdict
from model.training.recipe import Recipe


@dataclass(frozen=True, eq=False)
class SavedRun:
    """A run after `iteration` iterations.

    weights, ema: the network's state and its average; optimizer: the optimiser's state
    devices:      number of processes that shared the batches
    skipped:      the steps skipped in a row up to here
    data:         the trainer's description of its images; "" in files of older versions
    verdict:      state of early stopping
    seconds:      duration of the run so far
    """

    config: YolactConfig
    recipe: Recipe
    iteration: int
    weights: Mapping[str, Tensor]
    optimizer: dict[str, Any]
    ema: Mapping[str, Tensor]
    ema_updates: int
    devices: int = 1
    skipped: int = 0
    data: str = ""
    verdict: Verdict = field(default_factory=Verdict)
    seconds: float = 0.0

    def require_same(self, config: YolactConfig, recipe: Recipe, devices: int, data: str) -> None:
        """Raise TrainingError unless a run with these settings would continue as this one."""
        if self.devices != devices:
            raise TrainingError(
                f"the run was saved on {self.devices} devices, whose batches cannot be drawn alike on "
                f"{devices}; go on with as many processes (torchrun --nproc-per-node {self.devices})"
            )
        if self.data and self.data != data:
            raise TrainingError(
                f"the run learned from other images ({self.data}) than its data set has now ({data}); "
                "restore the data set, or start a new run"
            )
        for theirs, mine in ((self.config, config), (self.recipe, recipe)):
            for name in (setting.name for setting in dataclasses.fields(mine)):
                got, wanted = getattr(theirs, name), getattr(mine, name)
                if got != wanted:
                    raise TrainingError(
                        f"the saved run is another one: its {name} is {got!r}, expected {wanted!r}"
                    )

    def write(self, path: Path) -> None:
        """Write the file at `path`. Raises TrainingError, and keeps the older file, when that fails."""
        bad = next((key for key, value in self.weights.items() if not bool(value.isfinite().all())), None)
        if bad is not None:
            raise TrainingError(
                f"{bad} is not finite at iteration {self.iteration}, so {path} was not overwritten; "
                "start again with a lower learning rate"
            )
        training = {
            "iteration": self.iteration,
            "recipe": self.recipe.to_dict(),
            "optimizer": self.optimizer,
            "ema": dict(self.ema),
            "ema_updates": self.ema_updates,
            "devices": self.devices,
            "skipped": self.skipped,
            "data": self.data,
            "verdict": self.verdict.to_dict(),
            "seconds": self.seconds,
        }
        _replace(path, self.config, self.weights, training=training)


def write_weights(path: Path, config: YolactConfig, state: Mapping[str, Tensor], licence: str = "") -> None:
    """Write weights for inference, in half precision, with their licence note.

    Raises TrainingError, and keeps the older file, when that fails.
    """
    _replace(path, config, state, licence=licence, half=True)


def promote(best: Path, final: Path) -> None:
    """Replace the file `final` by a copy of `best`. Raises TrainingError when that fails."""
    try:
        with draft(final) as unfinished:
            shutil.copyfile(best, unfinished)
    except OSError as error:
        raise TrainingError(
            f"{final} cannot be made from {best} ({error.strerror or error}); it holds the last state"
        ) from error


def _replace(path: Path, config: YolactConfig, state: Mapping[str, Tensor], **rest: Any) -> None:
    try:
        save_checkpoint(path, config, state, **rest)
    except (OSError, RuntimeError) as error:  # PyTorch says RuntimeError when the disk is full
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        kept = "; the older one is kept" if path.exists() else ""
        raise TrainingError(
            f"{path} cannot be written ({reason}){kept}; free some space, then go on with --resume"
        ) from error


def read_saved_run(path: Path) -> SavedRun:
    """Read a `last.pt`. Raises CheckpointError when it is broken, TrainingError when it is something else."""
    checkpoint = read_checkpoint(path)
    if checkpoint.training is None:
        raise TrainingError(f"{path}: holds weights but no training state; expected a run's last.pt")
    try:
        return _saved_run(checkpoint, checkpoint.training)
    except (KeyError, TypeError, ValueError, AttributeError, ConfigError) as error:
        raise TrainingError(
            f"{path}: its training state is not one that this version can go on from ({error!r}); "
            "its weights can still be used, as --weights of a new run"
        ) from error


def _saved_run(checkpoint: Checkpoint, training: dict[str, Any]) -> SavedRun:
    ema: dict[str, Tensor] = training["ema"]
    shapes = {key: value.shape for key, value in checkpoint.state.items()}
    if {key: value.shape for key, value in ema.items()} != shapes:
        raise ValueError("the averaged weights are not those of the network")
    return SavedRun(
        config=checkpoint.config,
        recipe=Recipe.from_dict(training["recipe"]),
        iteration=int(training["iteration"]),
        weights=checkpoint.state,
        optimizer=training["optimizer"],
        ema=ema,
        ema_updates=int(training["ema_updates"]),
        devices=int(training.get("devices", 1)),
        skipped=int(training.get("skipped", 0)),
        data=str(training.get("data", "")),
        verdict=Verdict.from_dict(training.get("verdict", {})),
        seconds=float(training.get("seconds", 0.0)),
    )
