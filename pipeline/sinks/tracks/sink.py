"""The one sink of all formats of tracks: a file that a `TrackWriter` fills."""

from __future__ import annotations

import zlib
from fractions import Fraction
from pathlib import Path

from model.errors import SinkError
from pipeline.frame import Result
from pipeline.sinks.base import SinkReport
from pipeline.sinks.files import utf8
from pipeline.sinks.frame_range import FrameRange
from pipeline.sinks.origin import origin_of, told
from pipeline.sinks.part_file import PartFile, cannot_be_written
from pipeline.sinks.tracks.base import TrackWriter
from pipeline.sources.base import SourceInfo

_CHUNK = 1 << 20  # bytes that are read at a time


class TracksSink:
    """Writes what `writer` makes of the results, as UTF-8, by way of a `PartFile`.

    Time stamps count from where those of a video file of the same run do (see `origin_of`). The same results
    give the same bytes. Raises what `PartFile` raises.
    """

    def __init__(self, path: Path, writer: TrackWriter, overwrite: bool = False) -> None:
        self._path = path
        self._writer = writer
        self._overwrite = overwrite
        self._part: PartFile | None = None
        self._span = FrameRange()
        self._failed = False
        self._length = self._checksum = 0
        self._origin: Fraction | None = None

    def open(self, info: SourceInfo) -> None:
        """Make the part file. Raises SinkError when the file exists or cannot be written."""
        self._info = info
        self._part = PartFile(self._path, self._overwrite)

    def write(self, result: Result) -> None:
        """Write what stands for one frame.

        Raises SinkError when it cannot be written, or holds a number that is none;
        ConfigError where the format cannot hold such results at all.
        """
        begin = ""
        if self._origin is None:
            begin = self._writer.begin(self._info, result)
            self._origin = origin_of(self._info, result.frame)
        time = result.frame.time - self._origin
        try:
            data = utf8(begin + self._writer.frame(result, round(float(time), 9)))
        except ValueError as error:
            number = result.frame.index
            raise SinkError(f"{self._path}: frame {number} cannot be written: {error}") from error
        self._put(data)
        self._span.add_time(time)

    def close(self, complete: bool) -> SinkReport:
        """Write the end, read all of it back, and give the file its name if it is whole. Raises SinkError."""
        part = self._part
        if part is None or not self._span.count:
            if part:
                part.discard()
            return SinkReport(None, "no frames, nothing written", whole=False)
        if self._failed:
            return SinkReport(part.keep(), f"broken off: {self._span}, {self._writer.told()}", whole=False)
        for text in self._writer.end():
            self._put(utf8(text), follow=False)
        part.finish()
        problems = self._read_back(part.part)
        if whole := complete and not problems:
            part.publish()
        assert self._origin is not None
        summary = ", ".join((str(self._span), self._writer.told(), *told(self._info, self._origin)))
        return SinkReport(self._path if whole else part.part, summary, problems, whole)

    def _put(self, data: bytes, follow: bool = True) -> None:
        """follow: bring it to the file at once, so that readers of the growing file see whole frames."""
        assert self._part is not None
        self._length += len(data)
        self._checksum = zlib.crc32(data, self._checksum)
        try:
            self._part.check_there()
            with cannot_be_written(self._path):
                self._part.file.write(data)
                if follow:
                    self._part.file.flush()
        except SinkError:
            self._failed = True
            self._part.keep()
            raise

    def _read_back(self, part: Path) -> tuple[str, ...]:
        length = checksum = 0
        with cannot_be_written(part), part.open("rb") as file:
            while data := file.read(_CHUNK):
                length += len(data)
                checksum = zlib.crc32(data, checksum)
        if (length, checksum) == (self._length, self._checksum):
            return ()
        return (f"{self._length} bytes were written, {length} are there, and they are not the same",)
