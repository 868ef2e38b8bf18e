"""The work that a batch does with a video, named as text so that whoever runs it loads nothing else."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from app.batch.records import PlannedVideo
from model.errors import ConfigError


@dataclass(frozen=True)
class Made:
    """The frames that were made of a video. notes: what is to be known about it."""

    frames: int
    notes: tuple[str, ...] = ()


class VideoTask(Protocol):
    """Makes the outputs of videos, one after another, in one process; what it loads it may keep."""

    def make(self, video: PlannedVideo, folder: Path) -> Made:
        """Make every output of a video, whole, at its path below an empty folder.

        The same key gives the same JSON lines, whoever makes them. Raises LiveMaskError.
        """


def load_task(name: str, out: Path) -> VideoTask:
    """Return the task that `module:class` names, made for a batch's output folder. Raises ConfigError."""
    module, _, attribute = name.partition(":")
    try:
        kind = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"{name!r} names no task: {error}") from error
    return cast(VideoTask, kind(out))
