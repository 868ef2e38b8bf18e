"""One clock for all streams of a file that is several recordings, joined byte by byte."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer

from pipeline.sources.ffmpeg import nominal_rate

_JOINABLE = frozenset({"mpegts", "mpeg", "flv"})
_SLIP = Fraction(1, 10)  # seconds by which decoding times may go back within a recording
_JUMP = Fraction(1)  # seconds; where they go back by more, a recording begins even without a key frame
_GAP = Fraction(600)  # seconds; where they go on after so many more, too
_MOST_HELD = 400  # packets that wait until all streams have begun anew
_USUAL_STEP = Fraction(1, 25)
_DEEPEST = 16  # the most frames by which codecs reorder


@dataclass
class _Track:
    """The position of a stream, in seconds of its own stamps.

    step:    how long a packet lasts that does not say
    last:    the latest decoding time; None before the first packet of a recording
    end:     when the last packet of the recording ends
    held:    packets of a recording that other streams have not reached yet
    """

    step: Fraction
    last: Fraction | None = None
    end: Fraction | None = None
    held: list[av.Packet[Any]] = field(default_factory=list)


def clock_of(container: InputContainer, video: av.VideoStream | None) -> Clock | None:
    """Return the clock of a file in whose format recordings can be joined; None for all others."""
    return Clock(container, video) if container.format.name in _JOINABLE and video is not None else None


class Clock:
    """Moves the stamps of packets, so that each recording begins where the one before it ends.

    Decoding times grow within a recording. Where those of a stream go back, or far ahead, its packets wait
    until those of all streams did; then all are moved alike, by as much as the stream needs that ends last.
    Whoever reads the same packets gets the same stamps. A stream that does so all alone is left as it is.

    joints: how many recordings have begun but the first
    """

    def __init__(self, container: InputContainer, video: av.VideoStream) -> None:
        # a stream may appear later on, which PyAV does not know then
        self._timed = {s.index for s in container.streams if s.type in ("audio", "video")}
        self._video = video.index
        rate = nominal_rate(video)
        self._step = 1 / rate if rate else _USUAL_STEP
        self._guesses_times = container.format.name == "mpeg"
        self._tracks: dict[int, _Track] = {}
        self._offset = Fraction(0)
        self._count = 0
        self.joints = 0

    def put(self, packet: av.Packet[Any]) -> Iterator[av.Packet[Any]]:
        """Take a packet of any stream; gives those that are ready, moved, in their order."""
        base, stamp = packet.time_base, packet.dts if packet.dts is not None else packet.pts
        if packet.stream_index not in self._timed or base is None or stamp is None:
            yield self._moved(packet)
            return
        if self._guesses_times and packet.stream_index == self._video:
            self._undo_guess(packet)
        track = self._tracks.setdefault(packet.stream_index, _Track(self._step_of(packet)))
        if track.held or self._leaps(track, packet, stamp * base):
            track.held.append(packet)
            self._count += 1
            if self._count == _MOST_HELD or all(t.held for t in self._tracks.values()):
                yield from self.flush()
            return
        self._note(track, packet)
        yield self._moved(packet)

    def flush(self) -> Iterator[av.Packet[Any]]:
        """Yield the packets that still wait."""
        waiting = [t for t in self._tracks.values() if t.held]
        if not waiting:
            return
        video = self._tracks.get(self._video)
        if video is not None and video.held:
            self._offset += max(t.end - _begin(t) for t in waiting if t.end is not None)
            self.joints += 1
            for track in self._tracks.values():
                track.last = track.end = None
        held = sorted((p for t in waiting for p in t.held), key=_decoded_at)
        self._count = 0
        for track in waiting:
            track.held = []
        for packet in held:
            self._note(self._tracks[packet.stream_index], packet)
            yield self._moved(packet)

    def _step_of(self, packet: av.Packet[Any]) -> Fraction:
        return self._step if packet.stream_index == self._video else Fraction(0)

    def _undo_guess(self, packet: av.Packet[Any]) -> None:
        """Move the last picture of a recording right after the one before it.

        Where a program stream tells no presentation time, FFmpeg takes the next later decoding time, which
        may be one of any recording behind.
        """
        base = packet.time_base
        if base is None or packet.pts is None or packet.dts is None:
            return
        if (packet.pts - packet.dts) * base > _DEEPEST * self._step:
            packet.pts = packet.dts + round(self._step / base)

    def _leaps(self, track: _Track, packet: av.Packet[Any], at: Fraction) -> bool:
        if track.last is None or packet.dts is None:
            return False
        back = track.last - at
        return back > _JUMP or back < -_GAP or (back > _SLIP and packet.is_keyframe)

    def _note(self, track: _Track, packet: av.Packet[Any]) -> None:
        base = packet.time_base
        assert base is not None
        track.last = _decoded_at(packet)
        shown = track.last if packet.pts is None else packet.pts * base
        end = shown + (packet.duration * base if packet.duration else track.step)
        track.end = end if track.end is None else max(track.end, end)

    def _moved(self, packet: av.Packet[Any]) -> av.Packet[Any]:
        if self._offset and packet.time_base:
            ticks = round(self._offset / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks
        return packet


def _decoded_at(packet: av.Packet[Any]) -> Fraction:
    stamp = packet.dts if packet.dts is not None else packet.pts
    assert stamp is not None
    assert packet.time_base is not None
    return stamp * packet.time_base


def _begin(track: _Track) -> Fraction:
    """Return the time of the first packet that is held."""
    first = track.held[0]
    stamp = first.pts if first.pts is not None else first.dts
    assert stamp is not None
    assert first.time_base is not None
    return stamp * first.time_base
