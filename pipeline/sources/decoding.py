"""From a container's packets to frames; for files and streams alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from time import monotonic
from typing import Any

import av
from av.container import InputContainer

from pipeline.frame import Frame
from pipeline.sources.deinterlace import Deinterlacer
from pipeline.sources.ffmpeg import is_partial, nominal_rate
from pipeline.sources.pixels import Pictures
from pipeline.sources.stamps import Stamps
from pipeline.sources.troubles import Troubles

DAMAGED = "{count} damaged packet(s) were skipped"
UNREADABLE = "{count} frame(s) could not be converted and were left out"

_USUAL_TIME_BASE = Fraction(1, 90_000)


def decoded(
    container: InputContainer,
    stream: av.VideoStream,
    troubles: Troubles,
    watch: Callable[[av.Packet[Any]], None] = lambda packet: None,
) -> Iterator[av.VideoFrame]:
    """The frames of a stream in the order in which they are shown; interlaced ones are made whole.

    watch: called with every packet of all streams

    Damaged packets are skipped and counted. Where reading breaks off, the frames that the decoder still holds
    come first, then the error is raised: av.FFmpegError or OSError.
    """
    decoder = _Decoder(stream, troubles)
    broken: Exception | None = None
    try:
        for packet in container.demux():
            watch(packet)
            # an empty packet would be the end to the decoder, and broken files have them anywhere
            if packet.stream_index == stream.index and packet.size:
                yield from decoder.put(packet)
    except (av.FFmpegError, OSError) as error:
        broken = error
    yield from decoder.flush()
    if broken is not None:
        raise broken


class _Decoder:
    """Packets in, whole pictures out, whatever becomes of some of them."""

    def __init__(self, stream: av.VideoStream, troubles: Troubles) -> None:
        self._stream = stream
        self._troubles = troubles
        self._deinterlacer = Deinterlacer()

    def put(self, packet: av.Packet[Any]) -> list[av.VideoFrame]:
        """What comes out when this packet goes in."""
        if is_partial(packet):
            self._troubles.add(DAMAGED)
            return []
        return self._decode(packet)

    def flush(self) -> list[av.VideoFrame]:
        """All that is still inside."""
        ready = self._decode(None)
        with self._noting_damage():
            ready += self._deinterlacer.flush()
        return ready

    def _decode(self, packet: av.Packet[Any] | None) -> list[av.VideoFrame]:
        ready: list[av.VideoFrame] = []
        with self._noting_damage():
            for frame in self._stream.decode(packet):
                ready += self._deinterlacer.put(frame)
        return ready

    @contextmanager
    def _noting_damage(self) -> Iterator[None]:
        try:
            yield
        except av.FFmpegError:
            self._troubles.add(DAMAGED)


class FrameMaker:
    """Makes the pipeline's frames: counted from 0, upright, of one size, with stamps that grow."""

    def __init__(self, stream: av.VideoStream, troubles: Troubles, by_arrival: bool = False) -> None:
        """by_arrival: frames are stamped with the time at which they come, not with what the stream says."""
        self.time_base = (not by_arrival and stream.time_base) or _USUAL_TIME_BASE
        self._begun = monotonic() if by_arrival else None
        self._pictures = Pictures(troubles)
        self._stamps = Stamps(self.time_base, nominal_rate(stream), troubles)
        self._troubles = troubles
        self._count = 0

    def make(self, frame: av.VideoFrame, time_base: Fraction | None = None) -> Frame | None:
        """The next frame; None when its pixels cannot be converted.

        time_base: that of the frame's stamp, where it is not the one of all frames
        """
        try:
            image = self._pictures.make(frame)
        except av.FFmpegError:
            self._troubles.add(UNREADABLE)
            return None
        at = monotonic()
        pts = self._stamps.next(self._given(frame, time_base or self.time_base, at))
        made = Frame(image, self._count, pts, self.time_base, at)
        self._count += 1
        return made

    def resume(self, seconds: float) -> None:
        """The next frame comes from a new connection, this long after the last one."""
        self._stamps.resume(seconds)

    def _given(self, frame: av.VideoFrame, time_base: Fraction, at: float) -> int | None:
        """The stamp that a frame comes with, or comes at, in units of all frames' time base."""
        if self._begun is not None:
            return round((at - self._begun) / self.time_base)
        if frame.pts is None or time_base == self.time_base:
            return frame.pts
        return round(frame.pts * time_base / self.time_base)
