"""The duration of a video by its last packets, where its header is wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

import av
from av.container import InputContainer

from pipeline.sources.demuxing import packets_of
from pipeline.sources.ffmpeg import nominal_duration

_FAR = 1 << 62  # a stamp behind the end of everything
_DEEPEST = 32  # more frames than any codec reorders
_MOST = 2000  # packets that are looked at
_CLOCK = re.compile(r"(\d+):(\d+):(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Length:
    """The duration of a video.

    duration: seconds from the first picture to the end of the last one; None when unknown
    end:      when the last picture ends, in seconds of the file's own stamps, where that is known for certain
    moved:    whether the container stands elsewhere than before it was looked for
    """

    duration: Fraction | None
    end: Fraction | None = None
    moved: bool = False


def length_of(container: InputContainer, stream: av.VideoStream, whole: bool | None) -> Length:
    """Return the duration of a container's video; leaves the container at any position.

    FFmpeg sums up the steps between the decoding times of an mp4, which miss what the last pictures of a
    video with B-frames are late; and a Matroska file that begins late tells when it ends. The end is looked
    for there.

    whole: whether the file is; None when unknown
    """
    told = nominal_duration(container, stream)
    start, base = stream.start_time or 0, stream.time_base
    if base is None:
        return Length(told)
    if "mp4" in container.format.name:
        if not stream.codec_context.has_b_frames:
            # that of the whole file may be its sound's
            return Length(told, (start + stream.duration) * base if stream.duration else None)
        end = _end(container, stream)
        return Length(told, None, True) if end is None else Length((end - start) * base, end * base, True)
    if "matroska" not in container.format.name:
        return Length(told)
    announced = _announced_end(container, stream, start * base) if whole else None
    if announced is None and start > 0:
        end = _end(container, stream)
        return Length(told if end is None else (end - start) * base, None, True)
    return Length(told if announced is None else announced - start * base, announced)


def _announced_end(container: InputContainer, stream: av.VideoStream, start: Fraction) -> Fraction | None:
    """Return the end of a Matroska file's video as its muxer noted it; packets have no durations there.

    Some count from 0, some from the first stamp.
    """
    told = _seconds(stream.metadata.get("DURATION", ""))
    if told is None and not container.streams.audio and container.duration:
        told = Fraction(container.duration, av.time_base)
    if not told:
        return None
    return told if told > start else start + told


def _seconds(text: str) -> Fraction | None:
    """Parse `00:01:20.080000000`; None for anything else."""
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        return None
    hours, minutes, seconds = match.groups()
    return (int(hours) * 60 + int(minutes)) * 60 + Fraction(seconds)


def _end(container: InputContainer, stream: av.VideoStream) -> int | None:
    """Return the end of the last picture, in units of the stream; None if it is too far from a key frame."""
    index = stream.index_entries
    near = (
        index[max(len(index) - _DEEPEST, 0)].timestamp if "mp4" in container.format.name and index else _FAR
    )
    shown = decoded = None  # pts and duration of the picture that comes last in either order
    try:
        container.seek(near, stream=stream, any_frame=near != _FAR)
        packets = islice(packets_of(container, stream), _MOST)
        for count, packet in enumerate(packets, 1):
            if packet.pts is not None and packet.size and not packet.is_discard:
                decoded = packet.pts, packet.duration or 0
                shown = decoded if shown is None else max(shown, decoded)
            if count == _MOST:
                return None
    except (av.FFmpegError, OSError):
        return None
    if shown is None or decoded is None:
        return None
    # an mp4 tells the steps between decoding times, which for all packets but the last may hold a pause
    return max(sum(decoded), shown[0] + min(shown[1], decoded[1]))
