"""The choice of streams that another container can take over as they are, found by trial."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer, OutputContainer
from av.stream import Disposition, Stream

from pipeline.sources.demuxing import packets_of
from pipeline.sources.ffmpeg import CONTAINERS, limits

_COPIED = ("audio", "subtitle")
_NAMES = {"subtitle": "subtitles", "video": "second video stream", "data": "data stream"}
REFUSALS = (av.error.ArgumentError, av.error.InvalidDataError, av.error.PatchWelcomeError)
"""Errors by which a container refuses a single packet."""

_SAMPLES = 4  # packets of each stream that are tried
_LOOK, _LOOK_BYTES = 2000, 1 << 25  # packets of a file among which they are looked for
_UNNAMED = re.compile(r"\d+ channels")
_USUAL_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}

# it asks FFmpeg, which says no to whatever Matroska has only one of Windows' numbers for, and writes it
_NOT_BY_PYAV = "PyAV, by which files are written here, does not copy it into matroska"

if TYPE_CHECKING:
    Packet = av.Packet[Any]
    Samples = Mapping[int, Sequence[Packet]]


@dataclass
class StreamChoice:
    """The indices of a file's streams to copy, and the reasons why the others are left out."""

    kept: list[int] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)


def open_media(path: Path) -> InputContainer:
    """A media file that reads nothing but itself, whatever it says. Raises FFmpegError and OSError."""
    only = limits(CONTAINERS, ("file",))
    return av.open(f"file:{path.absolute()}", container_options=only, metadata_errors="replace")


def choose_streams(path: Path, video: Stream | None, output: OutputContainer) -> StreamChoice:
    """Return the streams of a file that `output` can take over, besides the video that is shown.

    Raises FFmpegError and OSError where the file cannot be read.
    """
    choice = StreamChoice()
    with open_media(path) as container:
        others = [s for s in container.streams if video is None or s.index != video.index]
        wanted = [s for s in others if s.type in _COPIED]
        samples = _samples(container, wanted) if wanted else {}
        for stream in others:
            name = _describe(stream)
            if stream.type not in _COPIED:
                if not _tells_chapters(container, stream):
                    choice.dropped.append(f"{name} dropped")
            elif why := _refusal(output, stream, samples.get(stream.index, ())):
                choice.dropped.append(f"{name} dropped ({why})")
            else:
                choice.kept.append(stream.index)
    return choice


def add_copy(output: OutputContainer, stream: Stream) -> Stream:
    """Add a stream to `output` that takes the packets of another one. Raises what PyAV raises.

    FFmpeg's mp4 refuses sound whose channels have no names, and only when the file is finished; they get
    the usual ones for their number.
    """
    target = output.add_stream_from_template(stream)
    if isinstance(stream, AudioStream) and isinstance(target, AudioStream):
        layout = stream.codec_context.layout
        if _UNNAMED.fullmatch(layout.name) and layout.nb_channels in _USUAL_LAYOUTS:
            target.codec_context.layout = _USUAL_LAYOUTS[layout.nb_channels]
    assert isinstance(target, Stream)
    return target


def repacker(stream: Stream) -> BitStreamFilterContext | None:
    """AAC of transport streams has a header on every packet; FFmpeg's mp4 in fragments does not see to it."""
    context = stream.codec_context
    headers = context is not None and context.name == "aac" and not context.extradata
    return BitStreamFilterContext("aac_adtstoasc", stream) if headers else None


def _samples(container: InputContainer, streams: Sequence[Stream]) -> Samples:
    """The first packets of each stream, as far as they come early in the file."""
    found: dict[int, list[Packet]] = {stream.index: [] for stream in streams}
    size = 0
    try:
        for count, packet in enumerate(packets_of(container)):
            size += packet.size
            mine = found.get(packet.stream_index)
            if mine is not None and packet.size and packet.pts is not None and len(mine) < _SAMPLES:
                mine.append(packet)
            if (
                count == _LOOK
                or size > _LOOK_BYTES
                or all(len(packets) == _SAMPLES for packets in found.values())
            ):
                break
    except (av.error.FFmpegError, OSError):  # reported when the stream is copied
        pass
    return found


def _refusal(output: OutputContainer, stream: Stream, samples: Sequence[Packet]) -> str:
    """Return why a container like `output` refuses this stream, or ""; one is written and read."""
    name = output.format.name
    buffer = io.BytesIO()
    try:
        with av.open(buffer, "w", format=name, container_options=dict(output.container_options)) as trial:
            try:
                target = add_copy(trial, stream)
            except ValueError:
                return _NOT_BY_PYAV if name == "matroska" else f"{name} cannot hold it"
            trial.start_encoding()
            written = _write(trial, target, repacker(stream), samples)
    except (av.error.FFmpegError, ValueError):
        return f"{name} cannot hold it"
    if samples and not written:
        return f"{name} cannot hold it"
    heard = _decoded(stream, samples)
    if heard and not _read_back(buffer, heard):
        return f"it cannot be decoded any more from {name}"
    return ""


def _write(
    trial: OutputContainer, target: Stream, repack: BitStreamFilterContext | None, samples: Sequence[Packet]
) -> int:
    """Write packets, counted from 0; returns how many were taken."""
    first = min((p.dts if p.dts is not None else p.pts or 0 for p in samples), default=0)
    taken = 0
    for packet in samples:
        try:
            copy = _copied(packet, first)
            for part in repack.filter(copy) if repack else [copy]:
                part.stream = target
                trial.mux(part)
        except REFUSALS:  # of this packet: its stamp goes back, or it is damaged
            continue
        taken += 1
    return taken


def _copied(packet: Packet, origin: int) -> Packet:
    copy: Packet = av.Packet(bytes(packet))
    copy.pts, copy.dts = (None if t is None else t - origin for t in (packet.pts, packet.dts))
    copy.time_base, copy.duration, copy.is_keyframe = packet.time_base, packet.duration, packet.is_keyframe
    return copy


def _decoded(stream: Stream, packets: Sequence[Packet]) -> int:
    """Return the number of audio frames in packets; 0 where nothing can be decoded, or it is no audio."""
    if not isinstance(stream, AudioStream):
        return 0
    try:
        return sum(len(stream.decode(packet)) for packet in packets)
    except (av.error.FFmpegError, ValueError):
        return 0


def _read_back(buffer: io.BytesIO, frames: int) -> bool:
    """Return True if about as many audio frames come out of a file that was written."""
    buffer.seek(0)
    try:
        with av.open(buffer, "r", metadata_errors="replace") as written:
            stream = written.streams.audio[0]
            return 2 * _decoded(stream, [p for p in written.demux(stream) if p.size]) >= frames
    except (av.error.FFmpegError, IndexError):
        return False


def _tells_chapters(container: InputContainer, stream: Stream) -> bool:
    """Return True if a data stream of an mp4 is the list of its chapters, which `chapters` takes care of."""
    chapters = container.chapters()
    is_list = stream.type == "data" and len(stream.index_entries) == len(chapters) > 0
    return is_list and "mp4" in container.format.name


def _describe(stream: Stream) -> str:
    if stream.disposition & Disposition.attached_pic:
        return "cover picture"
    name = _NAMES.get(stream.type, stream.type)
    codec = stream.codec_context.name if stream.type in _COPIED and stream.codec_context else ""
    return f"{name} ({codec})" if codec else name
