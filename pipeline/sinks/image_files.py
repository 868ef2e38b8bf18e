"""Sink that writes each frame as an image file."""

from __future__ import annotations

from pathlib import Path

from model.errors import ConfigError, SinkError
from pipeline.frame import Frame, Result
from pipeline.sinks.base import SinkReport
from pipeline.sinks.files import ENCODINGS, write_image
from pipeline.sinks.frame_names import harmless, numbered
from pipeline.sinks.frame_range import FrameRange
from pipeline.sinks.image_folder import ImageFolder
from pipeline.sinks.origin import origin_of, told
from pipeline.sinks.part_file import removed
from pipeline.sources.base import SourceInfo


class ImagesSink:
    """Writes `Result.annotated`, or the bare frame before an overlay, as files in a folder.

    A frame that has a name keeps it (without folder and suffix); the others are called after their video
    and number: `clip_000041.jpg`. Each file is whole or not there. So is the folder: it has a temporary name
    until it holds every frame, and never holds images of an earlier run.

    suffix:    a key of `files.ENCODINGS`
    overwrite: replace a folder that exists, if it holds nothing but images of these kinds

    Raises ConfigError on another suffix.
    """

    def __init__(self, folder: Path, suffix: str = ".jpg", overwrite: bool = False) -> None:
        if suffix not in ENCODINGS:
            raise ConfigError(f"images cannot be written as {suffix!r}; there are {', '.join(ENCODINGS)}")
        self._path = folder
        self._suffix = suffix
        self._overwrite = overwrite
        self._folder: ImageFolder | None = None
        self._written: set[str] = set()
        self._span = FrameRange()

    def open(self, info: SourceInfo) -> None:
        """Make the part folder. Raises SinkError as `ImageFolder` does."""
        self._info = info
        self._folder = ImageFolder(self._path, self._overwrite)

    def write(self, result: Result) -> None:
        """Write one file. Raises SinkError when it cannot be written, or two frames have one name."""
        assert self._folder is not None
        name = self._name(result.frame)
        path = self._folder.part / name
        if self._written and not self._folder.part.is_dir():  # it would be made anew, without what it held
            raise SinkError(f"{self._path}: {removed(self._folder.part)}")
        if path.exists():  # also where the file system takes A.jpg and a.jpg for one
            raise SinkError(f"{self._path / name}: two frames of this source have this name; rename one")
        write_image(path, result.frame.image if result.annotated is None else result.annotated)
        self._written.add(name)
        if not self._span.count:
            self._origin = origin_of(self._info, result.frame)
        self._span.add_time(result.frame.time - self._origin)

    def close(self, complete: bool) -> SinkReport:
        """Count the files, and give the folder its name if it is whole. Raises SinkError.

        A folder that was made for nothing is removed.
        """
        folder = self._folder
        if folder is None or not self._span.count:
            if folder:
                folder.discard()
            return SinkReport(None, "no frames, nothing written", whole=False)
        if not folder.part.is_dir():
            return SinkReport(None, f"{self._span}, which are lost", (removed(folder.part),), whole=False)
        missing = sum(not (folder.part / name).is_file() for name in self._written)
        problems: tuple[str, ...] = ()
        if missing:
            problems = (f"{missing} of {len(self._written)} images are not there any more",)
        if whole := complete and not missing:
            problems = folder.publish()
        summary = ", ".join((str(self._span), *told(self._info, self._origin)))
        return SinkReport(self._path if whole else folder.part, summary, problems, whole)

    def _name(self, frame: Frame) -> str:
        own = harmless(Path(frame.name).stem) if frame.name else ""
        return (own or numbered(self._info, frame)) + self._suffix
