"""Output files of a live session: recordings and snapshots, their names and their events."""

from __future__ import annotations

import datetime
import re
import threading
from collections import deque
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from model.errors import ConfigError, SinkError
from pipeline.frame import Result
from pipeline.live.events import Saved
from pipeline.sinks.formats import CONTAINERS
from pipeline.sources.base import SourceInfo

if TYPE_CHECKING:
    from pipeline.sinks.base import Sink, SinkReport


_UNFIT = re.compile(r"[^\w.-]+")  # refused by some file systems, or to be quoted in a shell
_LONGEST = 60  # letters of a source's name
_REMEMBERED = 64


class OutputNames:
    """Makes unused file names, such as `<source>_2026-11-21_14-03-22.mp4`. For any number of threads.

    A name that was given lately is not given again, for its file may be on its way under another name.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given: deque[Path] = deque(maxlen=_REMEMBERED)

    def new(self, folder: Path, source: str, suffixes: Sequence[str]) -> tuple[Path, ...]:
        """Paths in the folder that differ in their suffix alone, none of which is there.

        source: what they are called after; see `stem_of`
        """
        stem = f"{source}_{datetime.datetime.now():%Y-%m-%d_%H-%M-%S}"
        number = 1
        with self._lock:
            while True:
                mark = f"_{number}" if number > 1 else ""
                paths = tuple(folder / f"{stem}{mark}{suffix}" for suffix in suffixes)
                if not any(path.exists() or path in self._given for path in paths):
                    self._given.extend(paths)
                    return paths
                number += 1


def stem_of(info: SourceInfo | None) -> str:
    """Return the stem for files of a source: a file's stem, a camera's name, an address without secrets.

    Letters, digits, `_`, `-` and dots alone; "livemask" where nothing of that is left.
    """
    if info is None:
        return "livemask"
    name = info.name.rstrip("/\\")
    # a camera's name may have a dot in it that begins no suffix
    stem = Path(info.path or name).stem if info.path or re.search(r"[/\\]", name) else name
    return _UNFIT.sub("_", stem)[:_LONGEST].strip("_.-") or "livemask"


VIDEO = ".mp4"
LINES = ".jsonl"
PICTURE = ".png"


def sink_for(path: Path) -> Sink:
    """Return a sink for a file of this name: a video, or JSON lines. A file that exists is never replaced.

    Raises ConfigError on another suffix.
    """
    suffix = path.suffix.lower()
    if suffix == LINES:
        from pipeline.sinks.jsonl import JsonLinesSink

        return JsonLinesSink(path)
    if suffix not in CONTAINERS:
        kinds = ", ".join((*CONTAINERS, LINES))
        raise ConfigError(f"{path.name}: nothing is written as {suffix or 'a file without a suffix'}; "
                          f"expected {kinds}")  # fmt: skip
    from pipeline.sinks.video import VideoSink

    return VideoSink(path)


def make_folder(folder: Path) -> None:
    """Make the folder and those above it where they are not there. Raises SinkError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{folder}: cannot be made a folder: {error.strerror or error}") from error


def saved_picture(path: Path, result: Result, pixel_aspect: Fraction = Fraction(1)) -> Saved:
    """Write a result as it is shown. Raises SinkError.

    pixel_aspect: width of a pixel to its height; as a picture's pixels are taken for square, it is stretched
    """
    from pipeline.sinks.files import write_image

    picture = result.frame.image if result.annotated is None else result.annotated
    if pixel_aspect != 1:
        from pipeline.sources.picture.letterbox import with_square_pixels

        picture = with_square_pixels(picture, pixel_aspect)
    write_image(path, picture)
    height, width = picture.shape[:2]
    return Saved("snapshot", (path,), f"{width} x {height} pixels")


def saved(task: str, reports: Sequence[SinkReport]) -> Saved:
    """Return one event for the reports of several sinks; an empty sequence means that no frame came."""
    if not reports:
        return Saved(task, (), "nothing was recorded: no picture came")
    parts = [f"{report.path}: is not whole" for report in reports if report.path and not report.whole]
    problems = [problem for report in reports for problem in report.problems]
    return Saved(
        task,
        tuple(report.path for report in reports if report.path is not None),
        "; ".join(dict.fromkeys(report.summary for report in reports)),
        (*problems, *parts),
    )
