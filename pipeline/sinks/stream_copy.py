"""Audio and subtitles of a source, taken over packet by packet without decoding them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer, OutputContainer
from av.stream import Stream

from model.errors import SourceError
from pipeline.sinks.stream_choice import REFUSALS, add_copy, choose_streams, open_media, repacker
from pipeline.sinks.stream_names import carry_names, held_chapters, moved_chapters
from pipeline.sources.demuxing import LATE, packets_of
from pipeline.sources.ffmpeg import choose_stream, reason
from pipeline.sources.timing.clock import Clock, clock_of

_SLACK = Fraction(5)  # seconds by which one stream of a file may run ahead of another
_KEPT_METADATA = (
    "title", "artist", "album", "author", "comment", "copyright", "creation_time", "date",
    "description", "genre", "language",
)  # fmt: skip  # not the place where it was filmed, nor what describes the old file


@dataclass
class CopiedStream:
    """A stream that is taken over: how many packets were written, of how many bytes, and how many not.

    start:  when it is first heard, in units of the source's; None when unknown
    repack: takes off what wraps each packet in the source's container, where the output wants it bare
    """

    kind: str
    target: Stream
    start: int | None = None
    repack: BitStreamFilterContext | None = None
    packets: int = 0
    size: int = 0
    unusable: int = 0


class StreamCopier:
    """Reads a media file again, in step with the video that is written.

    origin:    the time in the file, in seconds, that is 0 in the output
    dropped:   what the output cannot hold, in words
    languages: what the tracks of the output speak, by their index, where that is known
    chapters:  how many were written
    broken:    why reading ended early, or ""

    Raises av.error.FFmpegError or OSError when the file cannot be read. Closed by `close`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._input = open_media(path)
        self._video = main_video(self._input)
        self._copied: dict[int, CopiedStream] = {}
        self._packets: Iterator[av.Packet[Stream]] = iter(())
        self._pending: av.Packet[Stream] | None = None
        self.origin = Fraction(0)
        self.dropped: list[str] = []
        self.languages: dict[int, str] = {}
        self.chapters = 0
        self.broken = ""

    @property
    def metadata(self) -> dict[str, str]:
        """The file's metadata that is as true of an annotated copy."""
        return {k: v for k, v in self._input.metadata.items() if k.lower() in _KEPT_METADATA}

    @property
    def copied(self) -> tuple[CopiedStream, ...]:
        """The streams that are taken over, in the order of the output."""
        return tuple(self._copied.values())

    def add_streams(self, output: OutputContainer) -> None:
        """Add a stream to `output` for each one that it can hold; the others are named in `dropped`."""
        choice = choose_streams(self.path, self._video, output)
        self.dropped = choice.dropped
        kept = [self._input.streams[index] for index in choice.kept]
        for stream in kept:
            target = add_copy(output, stream)
            target.disposition = stream.disposition
            self._carry_names(stream, target, output.format.name)
            copied = CopiedStream(stream.type, target, stream.start_time, repacker(stream))
            self._copied[stream.index] = copied
        if kept:
            # the video is read along, and thrown away, to stay near it in a file that is ill interleaved
            read = [*kept, self._video] if self._video else kept
            clock = clock_of(self._input, self._video)
            self._packets = self._read(read) if clock is None else self._timed(clock)

    def name_video(self, target: Stream, format_name: str) -> None:
        """Give the video that is written the name and the language of the one that is shown."""
        if self._video is not None:
            self._carry_names(self._video, target, format_name)

    def add_chapters(self, output: OutputContainer, end: Fraction | None) -> None:
        """Write the chapters into a container that is about to be closed: all, or those before `end`."""
        chapters = moved_chapters(self._input.chapters(), self.origin, end)
        held = held_chapters(chapters, output.format.name)
        if len(held) < len(chapters):
            self.dropped.append(f"{len(chapters) - len(held)} of {len(chapters)} chapters dropped")
        if held:
            output.set_chapters(list(held))
            self.chapters = len(held)

    def copy_until(self, output: OutputContainer, time: Fraction | None) -> None:
        """Copy packets up to `time` in seconds, or all that are left."""
        while (packet := self._next()) is not None:
            if time is not None and self._due(packet) > time:
                self._pending = packet
                return
            self._copy(output, packet)

    def finish(self, output: OutputContainer, end: Fraction | None) -> None:
        """Copy the rest: all of it, or only what begins before `end` in seconds."""
        if end is None:
            self.copy_until(output, None)
            return
        while (packet := self._next()) is not None and self._due(packet) < end + _SLACK:
            if self._due(packet) < end:
                self._copy(output, packet)

    def close(self) -> None:
        """Close the file that is read."""
        self._packets = iter(())
        self._input.close()

    def _read(self, *streams: Any) -> Iterator[av.Packet[Stream]]:
        """The packets as they come; that a stream appears too late to be copied is told once."""
        return packets_of(self._input, *streams, on_late=self._note_late)

    def _note_late(self) -> None:
        if LATE not in self.dropped:
            self.dropped.append(LATE)

    def _timed(self, clock: Clock) -> Iterator[av.Packet[Stream]]:
        """Yield the packets with their stamps on the clock of the picture source."""
        for packet in self._read():
            yield from clock.put(packet)
        yield from clock.flush()

    def _next(self) -> av.Packet[Stream] | None:
        packet, self._pending = self._pending, None
        while packet is None:
            try:
                packet = next(self._packets, None)
            except (av.error.FFmpegError, OSError) as error:
                self.broken = reason(error)
                self._packets = iter(())
            if packet is None:
                return None
            if not packet.size:  # the end of a stream
                packet = None
        return packet

    def _copy(self, output: OutputContainer, packet: av.Packet[Stream]) -> None:
        copied = self._copied.get(packet.stream_index)
        if copied is None or (packet.is_discard and not _prepares(packet, copied.start)):
            return
        moved = round(self.origin / packet.time_base) if packet.time_base else 0
        packet.pts = None if packet.pts is None else packet.pts - moved
        packet.dts = None if packet.dts is None else packet.dts - moved
        try:
            for part in copied.repack.filter(packet) if copied.repack else [packet]:
                part.stream, size = copied.target, part.size
                output.mux(part)
                copied.size += size
        except REFUSALS:  # no time stamp, or one that goes back; damaged
            copied.unusable += 1
        else:
            copied.packets += 1

    def _carry_names(self, source: Stream, target: Stream, format_name: str) -> None:
        if lost := carry_names(source, target, format_name):
            self.dropped.append(f"language {lost} dropped ({format_name} knows three letters alone)")
        elif language := target.metadata.get("language", ""):
            self.languages[target.index] = language

    def _due(self, packet: av.Packet[Stream]) -> Fraction:
        return _time(packet) - self.origin


def main_video(container: InputContainer) -> av.VideoStream | None:
    """The stream that the source shows; None without one."""
    try:
        return choose_stream(container, container.name)
    except SourceError:
        return None


def goes_on(path: Path, end: Fraction) -> bool:
    """Return True if the video of a file has a frame at `end` (seconds) or later; False when unknown."""
    try:
        with open_media(path) as container:
            video = main_video(container)
            if video is None or video.time_base is None:
                return False
            container.seek(int(end / video.time_base), stream=video)
            packets = packets_of(container, video)
            shown = (p for p in packets if p.size and not p.is_discard and p.pts is not None)
            return any(_time(packet) >= end for packet in shown)
    except (av.error.FFmpegError, OSError):
        return False


def _prepares(packet: av.Packet[Any], start: int | None) -> bool:
    """Return True if a packet lies just before the first one that is heard, which needs it.

    All others are what an edit list leaves out.
    """
    if packet.pts is None or start is None:
        return False
    return packet.pts < start < packet.pts + 2 * (packet.duration or 0)


def _time(packet: av.Packet[Any]) -> Fraction:
    """Return the time of a packet, in seconds; one without a time is due at once."""
    stamp = packet.pts if packet.pts is not None else packet.dts
    return Fraction(-1) if stamp is None or packet.time_base is None else stamp * packet.time_base
