"""Each frame as an image file of its own."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from model.errors import ConfigError, SinkError
from pipeline.frame import Frame, Result
from pipeline.sinks.base import SinkReport
from pipeline.sinks.files import ENCODINGS, write_image
from pipeline.sinks.part_file import cannot_be_written, part_name
from pipeline.sinks.span import Span
from pipeline.sources.base import SourceInfo


class ImagesSink:
    """Writes `Result.annotated`, or the bare frame before an overlay, as files in a folder.

    A frame that has a name keeps it (without folder and suffix); the others are called after their video
    and number: `clip_000041.jpg`. Each file is whole or not there. So is the folder: a new one has a
    temporary name until it holds every frame; one that exists already is added to.

    suffix:    a key of `files.ENCODINGS`
    overwrite: replace files that exist

    Raises ConfigError on another suffix.
    """

    def __init__(self, folder: Path, suffix: str = ".jpg", overwrite: bool = False) -> None:
        if suffix not in ENCODINGS:
            raise ConfigError(f"images cannot be written as {suffix!r}; there are {', '.join(ENCODINGS)}")
        self._folder = folder
        self._suffix = suffix
        self._overwrite = overwrite
        self._written: set[str] = set()
        self._span = Span()

    def open(self, info: SourceInfo) -> None:
        """Make the folder. Raises SinkError when that cannot be."""
        self._is_new = not self._folder.exists()
        self._work = part_name(self._folder) if self._is_new else self._folder
        with cannot_be_written(self._folder):
            self._work.mkdir(parents=True, exist_ok=True)
        self._stem = _harmless(info.path.stem) if info.path else "frame"

    def write(self, result: Result) -> None:
        """Write one file. Raises SinkError when it exists, cannot be written, or was written just now."""
        name = self._name(result.frame)
        path = self._work / name
        if name in self._written:
            raise SinkError(f"{path}: two frames of this source have this name; rename one")
        if not self._overwrite and path.exists():
            raise SinkError(f"{path}: exists already; allow overwriting, or choose another folder")
        write_image(path, result.frame.image if result.annotated is None else result.annotated)
        self._written.add(name)
        self._span.add(result.frame)

    def close(self, complete: bool) -> SinkReport:
        """Count the files, and name the folder. One that was made for nothing is removed."""
        if not self._span.count:
            if self._is_new:
                with contextlib.suppress(OSError):
                    self._work.rmdir()
            return SinkReport(None, "no frames, nothing written", whole=False)
        missing = sum(not (self._work / name).is_file() for name in self._written)
        problems = (f"{missing} of {len(self._written)} images are not there any more",) if missing else ()
        whole = complete and not missing
        if whole and self._is_new:
            with cannot_be_written(self._folder):
                self._work.rename(self._folder)
            self._work = self._folder
        return SinkReport(self._work, f"{self._span}", problems, whole)

    def _name(self, frame: Frame) -> str:
        stem = _harmless(Path(frame.name).stem) if frame.name else ""
        return (stem or f"{self._stem}_{frame.index:06d}") + self._suffix


def _harmless(stem: str) -> str:
    """A name without what could lead out of the folder, or what some file systems refuse."""
    return re.sub(r'[\x00-\x1f<>:"/\\|?*]', "_", stem).strip(". ")
