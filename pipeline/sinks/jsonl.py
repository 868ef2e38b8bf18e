"""Detections as JSON lines: one object a frame, in the order of the frames."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

from model.errors import SinkError
from pipeline.frame import Result
from pipeline.sinks.base import SinkReport
from pipeline.sinks.frame_range import FrameRange
from pipeline.sinks.origin import origin_of, told
from pipeline.sinks.part_file import PartFile, cannot_be_written
from pipeline.sources.base import SourceInfo

_ZERO = Fraction(0)


class JsonLinesSink:
    """Writes `frame_record` of every result as a line of a file.

    The file grows under a temporary name, line by line, and is renamed when whole. Time stamps count from
    where those of a video file of the same run do (see `origin_of`). The same results give the same bytes.
    Raises what `PartFile` raises.
    """

    def __init__(self, path: Path, overwrite: bool = False) -> None:
        self._path = path
        self._overwrite = overwrite
        self._part: PartFile | None = None
        self._span = FrameRange()
        self._detections = 0
        self._failed = False
        self._origin: Fraction | None = None

    def open(self, info: SourceInfo) -> None:
        """Make the part file. Raises SinkError when the file exists or cannot be written."""
        self._info = info
        self._part = PartFile(self._path, self._overwrite)

    def write(self, result: Result) -> None:
        """Write one line. Raises SinkError when it cannot be written, or holds a number that is none."""
        assert self._part is not None
        if self._origin is None:
            self._origin = origin_of(self._info, result.frame)
        record = frame_record(result, self._origin)
        try:
            line = json.dumps(record, separators=(",", ":"), allow_nan=False)
        except ValueError as error:
            raise SinkError(f"{self._path}: frame {result.frame.index} cannot be written: {error}") from error
        try:
            self._part.check_there()
            with cannot_be_written(self._path):
                self._part.file.write(line.encode() + b"\n")
                self._part.file.flush()  # readers of the growing file see whole lines
        except SinkError:
            self._failed = True
            raise
        self._span.add_time(result.frame.time - self._origin)
        self._detections += len(result.detections)

    def close(self, complete: bool) -> SinkReport:
        """Count the lines and give the file its name if it is whole. Raises SinkError."""
        part = self._part
        if part is None or not self._span.count:
            if part:
                part.discard()
            return SinkReport(None, "no frames, nothing written", whole=False)
        assert self._origin is not None
        found = f"{self._detections} detection{'s' * (self._detections != 1)}"
        summary = ", ".join((str(self._span), found, *told(self._info, self._origin)))
        if self._failed:
            return SinkReport(part.keep(), f"broken off: {summary}", whole=False)
        part.finish()
        lines = _whole_lines(part.part)
        wrong = f"{self._span.count} lines were written, {lines} are there"
        problems = (wrong,) if lines != self._span.count else ()
        if whole := complete and not problems:
            part.publish()
        return SinkReport(self._path if whole else part.part, summary, problems, whole)


def frame_record(result: Result, origin: Fraction = _ZERO) -> dict[str, Any]:
    """Return a frame's record, ready for json.

    `index`; the exact time stamp, counted from `origin` in seconds, as `pts` and `time_base`
    ("numerator/denominator", seconds a unit) and its rounded value `time` in seconds; `source_time`, the
    source's own time in seconds, where it counts from elsewhere; `name` where the picture has one; `width`
    and `height` in pixels; `detections`, each with `class`, `score`, `bbox` (x, y, width, height in pixels
    from the top left corner), `segmentation` (compressed COCO run-length code) unless only boxes were asked
    for, and `track_id` with tracking.
    """
    frame = result.frame
    height, width = frame.size
    name = {"name": frame.name} if frame.name else {}
    time = frame.time - origin
    source_time = {"source_time": round(float(frame.time), 9)} if origin else {}
    ticks = time / frame.time_base
    unit = frame.time_base / ticks.denominator  # finer where the origin was counted in another unit
    return {
        "index": frame.index,
        **name,
        "pts": ticks.numerator,
        "time_base": f"{unit.numerator}/{unit.denominator}",
        "time": round(float(time), 9),
        **source_time,
        "width": width,
        "height": height,
        "detections": _detections(result),
    }


def _detections(result: Result) -> list[dict[str, Any]]:
    records = []
    tracks = result.detections.track_ids
    for number, found in enumerate(result.detections.to_coco()):
        record = {"class": found.pop("category_name"), "score": found.pop("score"), **found}
        if tracks is not None:
            record["track_id"] = int(tracks[number])
        records.append(record)
    return records


def _whole_lines(path: Path) -> int:
    with cannot_be_written(path), path.open("rb") as file:
        return sum(line.endswith(b"\n") for line in file)
