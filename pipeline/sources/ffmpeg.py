"""Opening with FFmpeg (through PyAV): the formats, protocols and limits that files and streams share."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import Any

import av
from av.container import InputContainer
from av.stream import Disposition

from model.errors import SourceError
from pipeline.sources.foreign import refuse_photograph

MAX_PIXELS = 2**26
"""The largest picture that is decoded, 8192 x 8192: a decoder holds up to twenty of them at a time."""

CONTAINERS = (
    *(
        "mov,mp4,m4a,3gp,3g2,mj2",
        "matroska,webm",
        "avi",
        "flv",
        "live_flv",
        "asf",
        "asf_o",
        "ogg",
        "nut",
        "rm",
    ),
    *("mpegts", "mpeg", "mpegvideo", "mxf", "gxf", "wtv", "dv", "ivf", "swf", "dhav", "yuv4mpegpipe"),
    *("h261", "h263", "h264", "hevc", "vvc", "av1", "obu", "m4v", "vc1", "dirac", "mjpeg", "mpjpeg"),
    *("gif", "apng"),
)
"""FFmpeg's names of the formats that hold video and never refer to anything else: no playlist, no list of
pictures, no description of a stream, no device, no text."""


WITHOUT_STAMPS = frozenset(
    {
        *("h261", "h263", "h264", "hevc", "vvc", "av1", "obu", "m4v", "mpegvideo", "vc1", "dirac"),
        *("mjpeg", "mpjpeg"),
    }
)
"""FFmpeg's names of the formats that are a codec's bare stream: it makes up when their frames are shown."""


_NO_VIDEO = Disposition.attached_pic | Disposition.dependent


def limits(formats: tuple[str, ...], protocols: tuple[str, ...]) -> dict[str, str]:
    """Options that keep FFmpeg, and all that it opens on the way, to these formats, protocols and sizes."""
    return {
        "format_whitelist": ",".join(formats),
        "protocol_whitelist": ",".join(protocols) or "none",  # there is no protocol of this name
        "max_pixels": str(MAX_PIXELS),
    }


def reason(error: BaseException) -> str:
    """Return FFmpeg's or the system's reason, without the address that `str(error)` holds."""
    text = getattr(error, "strerror", None)
    return f"{text[:1].lower()}{text[1:]}" if text else type(error).__name__


def choose_stream(container: InputContainer, name: str) -> av.VideoStream:
    """The best video stream: the default one, else the one with the most pixels. A cover picture is no video.

    Nor is a photograph, what it is put together from, or any stream that depends on others.

    Raises SourceError when there is none, when nothing here decodes it, or when it is too large.
    """
    refuse_photograph(name, container.metadata.get("major_brand", ""))
    streams = [s for s in container.streams.video if not s.disposition & _NO_VIDEO]
    if not streams:
        found = "only a cover picture, or parts of one" if container.streams.video else "none"
        raise SourceError(f"{name}: expected a video stream, found {found}")
    decodable = [stream for stream in streams if stream.codec_context is not None]
    if not decodable:
        raise SourceError(f"{name}: the video is in a codec that cannot be decoded here; convert it to H.264")
    best = max(decodable, key=_merit)
    width, height = best.codec_context.width, best.codec_context.height
    if width * height > MAX_PIXELS:
        raise SourceError(
            f"{name}: a picture of {width} x {height} pixels is too large; "
            f"at most {MAX_PIXELS // 10**6} million pixels are read"
        )
    # the header may lie, and later pictures grow
    best.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    return best


def nominal_rate(stream: av.VideoStream) -> Fraction | None:
    """Frames a second as the container has it; None when it does not say, or says something impossible.

    Of a bare stream what the codec says; where that says nothing, FFmpeg's 25.
    """
    if stream.container.format.name in WITHOUT_STAMPS:
        rate = stream.guessed_rate or stream.average_rate
    else:
        rate = stream.average_rate or stream.guessed_rate
    return rate if rate and 0 < rate <= 1000 else None


def nominal_duration(container: InputContainer, stream: av.VideoStream) -> Fraction | None:
    """Seconds of video as the container has it; None when it does not say."""
    if stream.duration is not None and stream.duration > 0 and stream.time_base:
        return stream.duration * stream.time_base
    if container.duration is not None and container.duration > 0:
        return Fraction(container.duration, av.time_base)
    return None


def beginning(container: InputContainer, stream: av.VideoStream) -> Fraction:
    """Return the time of a file's earliest sound or picture, in whole units of the stream's time base.

    Rounded down, so that the stamps of the stream's frames count in whole units from there, too.
    """
    base = stream.time_base
    known = [
        s.start_time * s.time_base
        for s in container.streams
        if s.start_time is not None and s.time_base and (s is stream or s.type == "audio")
    ]
    return floor(min(known) / base) * base if known and base else Fraction(0)


def is_partial(packet: av.Packet[Any]) -> bool:
    """Return True if the packet was read in part only. In MPEG-TS the mark may mean a gap nearby."""
    return packet.is_corrupt and packet.stream.container.format.name != "mpegts"


def _merit(stream: av.VideoStream) -> tuple[bool, bool, int, bool]:
    pixels = stream.codec_context.width * stream.codec_context.height
    is_default = bool(stream.disposition & Disposition.default)
    return pixels > 0, is_default, pixels, stream.frames != 1  # an animation in AVIF has a still beside it
