"""Checks that a media file is complete."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer

from pipeline.sources.ffmpeg import is_partial

_SLACK = Fraction(1, 2)  # seconds by which announced durations are off in files that are whole


class Extent:
    """Holds what is read of a file against what its header and its index announce."""

    def __init__(
        self, container: InputContainer, stream: av.VideoStream, file_size: int, whole: bool | None = None
    ) -> None:
        """whole: whether all bytes are there, where the file tells how many there should be."""
        # a last picture that is shown for long looks like a missing end
        announced = None if whole else container.duration
        self._announced = Fraction(announced, av.time_base) if announced and announced > 0 else None
        self._is_matroska = "matroska" in container.format.name
        self._stream = stream.index
        self._time_bases = {s.index: s.time_base for s in container.streams}
        self._first: dict[int, int] = {}
        self._end: dict[int, int] = {}
        self._cut = whole is False or any(_points_beyond(s, file_size) for s in container.streams)

    def watch(self, packet: av.Packet[Any]) -> None:
        """Note a packet of any stream, in the order of the file."""
        if packet.stream_index == self._stream and packet.size:
            self._cut = self._cut or is_partial(packet)
        if packet.pts is None:
            return
        index, end = packet.stream_index, packet.pts + (packet.duration or 0)
        self._first[index] = min(self._first.get(index, packet.pts), packet.pts)
        self._end[index] = max(self._end.get(index, end), end)

    def shortfall(self) -> str | None:
        """Once all is read: that the file breaks off, and where; None where nothing says so."""
        begin, end = self._extremes()
        announced = self._announced_from(begin)
        # whether a container counts from its first stamp or from 0 is not always known: no false alarm
        reached = end - begin if self._is_matroska else end - min(begin, Fraction(0))
        short = announced is not None and reached + max(_SLACK, announced / 100) < announced
        if not short and not self._cut:
            return None
        of = f" of {float(announced):.2f}" if short and announced else ""
        return f"the file breaks off: {float(end - begin):.2f}{of} seconds of it are there"

    def _announced_from(self, begin: Fraction) -> Fraction | None:
        """Return the announced duration; FFmpeg's own Matroska files hold their end."""
        if self._announced is not None and self._is_matroska and self._announced > begin > 0:
            return self._announced - begin
        return self._announced

    def _extremes(self) -> tuple[Fraction, Fraction]:
        """Return the begin of the earliest stream and the end of the last one, in seconds."""
        begins, ends = (
            [stamp * (self._time_bases.get(index) or Fraction(0)) for index, stamp in stamps.items()]
            for stamps in (self._first, self._end)
        )
        return min(begins, default=Fraction(0)), max(ends, default=Fraction(0))


def _points_beyond(stream: av.stream.Stream, file_size: int) -> bool:
    """Return True if the index has the stream's last packet beyond the end of the file."""
    entries = stream.index_entries
    return len(entries) > 0 and entries[len(entries) - 1].pos + entries[len(entries) - 1].size > file_size
