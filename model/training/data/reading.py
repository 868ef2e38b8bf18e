"""Requests to the readers of data formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from model.training.data.annotations import AnnotationSet


@dataclass(frozen=True)
class ReadRequest:
    """Classes to read, their names, and the folder of the images; see `load_annotations`."""

    class_names: tuple[str, ...] | None = None
    remap: Mapping[str, str] | None = None
    images: Path | None = None
    allow_missing: bool = False


@dataclass(frozen=True)
class DataFormat:
    """A data format: `recognises` looks at a path without reading much, `read` reads it."""

    title: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, ReadRequest], AnnotationSet]
