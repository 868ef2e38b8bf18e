"""Audio and subtitles of a source, taken over packet by packet without decoding them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer, OutputContainer
from av.stream import Disposition, Stream

from model.errors import SourceError
from pipeline.sources.ffmpeg import CONTAINERS, choose_stream, limits, reason

_SLACK = Fraction(5)  # seconds by which one stream of a file may run ahead of another
_REFUSALS = (av.error.ArgumentError, av.error.InvalidDataError, av.error.PatchWelcomeError)
_COPIED = ("audio", "subtitle")
_NAMES = {"subtitle": "subtitles", "video": "second video stream", "data": "data stream"}
_KEPT_METADATA = (
    "title", "artist", "album", "author", "comment", "copyright", "creation_time", "date",
    "description", "genre", "language",
)  # fmt: skip  # not the place where it was filmed, nor what describes the old file


@dataclass
class CopiedStream:
    """A stream that is taken over: how many packets were written, and how many no container takes.

    repack: takes off what wraps each packet in the source's container, where the output wants it bare
    """

    kind: str
    target: Stream
    repack: BitStreamFilterContext | None = None
    packets: int = 0
    unusable: int = 0


@dataclass
class Choice:
    """What becomes of a file's streams: those to copy, and why the others are left out."""

    kept: list[Stream] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)


class StreamCopier:
    """Reads a media file again, in step with the video that is written.

    origin:  the time in the file, in seconds, that is 0 in the output
    dropped: what the output cannot hold, in words
    broken:  why reading ended early, or ""

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
        self.broken = ""

    @property
    def video(self) -> av.VideoCodecContext | None:
        """What the file says about its video; None without one."""
        return self._video.codec_context if self._video else None

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
        choice = choose_streams(self._input, self._video, output.format.name)
        self.dropped = choice.dropped
        for stream in choice.kept:
            target = output.add_stream_from_template(stream)
            target.metadata.update({k: v for k, v in stream.metadata.items() if k in ("language", "title")})
            target.disposition = stream.disposition
            self._copied[stream.index] = CopiedStream(stream.type, target, _repacker(stream))
        if choice.kept:
            # the video is read along, and thrown away, to stay near it in a file that is ill interleaved
            read = [*choice.kept, self._video] if self._video else choice.kept
            self._packets = self._input.demux(read)

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
            if not packet.size:  # what ends a stream
                packet = None
        return packet

    def _copy(self, output: OutputContainer, packet: av.Packet[Stream]) -> None:
        copied = self._copied.get(packet.stream_index)
        if copied is None:
            return
        moved = round(self.origin / packet.time_base) if packet.time_base else 0
        packet.pts = None if packet.pts is None else packet.pts - moved
        packet.dts = None if packet.dts is None else packet.dts - moved
        try:
            for part in copied.repack.filter(packet) if copied.repack else [packet]:
                part.stream = copied.target
                output.mux(part)
        except _REFUSALS:  # no time stamp, or one that goes back; damaged
            copied.unusable += 1
        else:
            copied.packets += 1

    def _due(self, packet: av.Packet[Stream]) -> Fraction:
        return _time(packet) - self.origin


def open_media(path: Path) -> InputContainer:
    """A media file that reads nothing but itself, whatever it says. Raises FFmpegError and OSError."""
    only = limits(CONTAINERS, ("file",))
    return av.open(f"file:{path.absolute()}", container_options=only, metadata_errors="replace")


def main_video(container: InputContainer) -> av.VideoStream | None:
    """The stream that the source shows; None without one."""
    try:
        return choose_stream(container, container.name)
    except SourceError:
        return None


def choose_streams(container: InputContainer, video: av.VideoStream | None, format_name: str) -> Choice:
    """Which streams of a file a container of that format can take over."""
    choice = Choice()
    for stream in container.streams:
        if stream is video:
            continue
        name = _describe(stream)
        if stream.type not in _COPIED:
            choice.dropped.append(f"{name} dropped")
        elif can_hold(format_name, stream):
            choice.kept.append(stream)
        else:
            choice.dropped.append(f"{name} dropped ({format_name} cannot hold it)")
    return choice


def can_hold(format_name: str, stream: Stream) -> bool:
    """Whether a container of that format takes this stream as it is: tried, as no table knows it all."""
    try:
        with av.open(io.BytesIO(), "w", format=format_name) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (av.error.FFmpegError, ValueError):
        return False
    return True


def goes_on(path: Path, end: Fraction) -> bool:
    """Whether the video of a file has a frame at `end` (seconds) or later; False when nobody can tell."""
    try:
        with open_media(path) as container:
            video = main_video(container)
            if video is None or video.time_base is None:
                return False
            container.seek(int(end / video.time_base), stream=video)
            shown = (p for p in container.demux(video) if p.size and not p.is_discard and p.pts is not None)
            return any(_time(packet) >= end for packet in shown)
    except (av.error.FFmpegError, OSError):
        return False


def _repacker(stream: Stream) -> BitStreamFilterContext | None:
    """AAC of transport streams has a header on every packet; FFmpeg's mp4 in fragments does not see to it."""
    context = stream.codec_context
    headers = context is not None and context.name == "aac" and not context.extradata
    return BitStreamFilterContext("aac_adtstoasc", stream) if headers else None


def _time(packet: av.Packet[Any]) -> Fraction:
    """When a packet is due, in seconds; one that does not know is due at once."""
    stamp = packet.pts if packet.pts is not None else packet.dts
    return Fraction(-1) if stamp is None or packet.time_base is None else stamp * packet.time_base


def _describe(stream: Stream) -> str:
    if stream.disposition & Disposition.attached_pic:
        return "cover picture"
    name = _NAMES.get(stream.type, stream.type)
    codec = stream.codec_context.name if stream.type in _COPIED and stream.codec_context else ""
    return f"{name} ({codec})" if codec else name
