"""Files that are made while somebody watches: recordings, snapshots, and what is told of them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from model.errors import ConfigError, SinkError
from pipeline.frame import Result
from pipeline.live.events import Saved
from pipeline.sinks.formats import CONTAINERS

if TYPE_CHECKING:
    from pipeline.sinks.base import Sink, SinkReport

VIDEO = ".mp4"
LINES = ".jsonl"
PICTURE = ".png"


def sink_for(path: Path) -> Sink:
    """What writes a file of this name: a video, or JSON lines. A file that exists is never replaced.

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
        from pipeline.sources.letterbox import with_square_pixels

        picture = with_square_pixels(picture, pixel_aspect)
    write_image(path, picture)
    height, width = picture.shape[:2]
    return Saved("snapshot", (path,), f"{width} x {height} pixels")


def saved(task: str, reports: Sequence[SinkReport]) -> Saved:
    """What sinks have made, as one event; without reports no picture has come for them to be opened with."""
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
