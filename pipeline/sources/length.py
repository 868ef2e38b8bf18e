"""How long a video lasts, by its last packets, where its header does not say it truly."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice

import av
from av.container import InputContainer

from pipeline.sources.ffmpeg import nominal_duration

_FAR = 1 << 62  # a stamp behind the end of everything
_DEEPEST = 32  # more frames than any codec reorders
_MOST = 2000  # packets that are looked at


def shown_duration(container: InputContainer, stream: av.VideoStream) -> tuple[Fraction | None, bool]:
    """Seconds from the first picture to the end of the last one, and whether the container stands elsewhere.

    FFmpeg sums up the steps between the decoding times of an mp4, which miss what the last pictures of a
    video with B-frames are late; and a Matroska file that begins late tells when it ends. The end is looked
    for there. None when nobody says.
    """
    told = nominal_duration(container, stream)
    if not _is_doubtful(container, stream):
        return told, False
    end = _end(container, stream)
    assert stream.time_base is not None
    return (told if end is None else (end - (stream.start_time or 0)) * stream.time_base), True


def _is_doubtful(container: InputContainer, stream: av.VideoStream) -> bool:
    if not stream.time_base:
        return False
    if "mp4" in container.format.name:
        return stream.codec_context.has_b_frames
    return "matroska" in container.format.name and bool(stream.start_time and stream.start_time > 0)


def _end(container: InputContainer, stream: av.VideoStream) -> int | None:
    """When the last picture ends, in units of the stream; None where the end is too far from a key frame."""
    index = stream.index_entries
    near = (
        index[max(len(index) - _DEEPEST, 0)].timestamp if "mp4" in container.format.name and index else _FAR
    )
    end = None
    try:
        container.seek(near, stream=stream, any_frame=near != _FAR)
        packets = islice(container.demux(stream), _MOST)
        for count, packet in enumerate(packets, 1):
            if packet.pts is not None and packet.size and not packet.is_discard:
                end = max(end or 0, packet.pts + (packet.duration or 0))
            if count == _MOST:
                return None
    except (av.FFmpegError, OSError):
        return None
    return end
