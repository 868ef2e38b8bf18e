"""Combinations of the tables in `formats` that go together and that this build of FFmpeg supports."""

from __future__ import annotations

from pathlib import Path

import av

from model.errors import ConfigError, SinkError
from pipeline.sinks.formats import CODECS, CONTAINERS, VideoCodec, VideoContainer
from pipeline.sources.ffmpeg import reason


def default_codec(path: Path) -> str:
    """Return the default codec for a file of this name. Raises ConfigError on a strange suffix."""
    return container_of(path).codecs[0]


def check_output(path: Path, codec: str | None = None, crf: int | None = None) -> None:
    """Refuse a video that cannot be written before any work starts.

    codec: a key of `CODECS`, None for `default_codec`. Raises ConfigError on a suffix, codec, pair or
    CRF that does not exist or does not fit, or where the encoder is not part of this build of FFmpeg.
    """
    container = container_of(path)
    name = codec or container.codecs[0]
    chosen = codec_of(name)
    if name not in container.codecs:
        there = ", ".join(container.codecs)
        raise ConfigError(f"{path.name}: {path.suffix} does not go with {name}; it takes {there}")
    if crf is not None:
        _check_quality(name, chosen, crf)
    find_encoder(name)


def _check_quality(name: str, codec: VideoCodec, crf: int) -> None:
    if not codec.quality_options:
        raise ConfigError(f"{name} has no quality to choose, got a CRF of {crf}; leave it out")
    if not codec.best <= crf <= codec.worst:
        raise ConfigError(f"a CRF of {crf} is out of range for {name}: {codec.best} (best) to {codec.worst}")


def container_of(path: Path) -> VideoContainer:
    """The container that the suffix names. Raises ConfigError."""
    try:
        return CONTAINERS[path.suffix.lower()]
    except KeyError:
        got = path.suffix or "no suffix"
        raise ConfigError(f"{path.name}: videos end in {', '.join(CONTAINERS)}, got {got}") from None


def codec_of(name: str) -> VideoCodec:
    """The codec of that name. Raises ConfigError."""
    try:
        return CODECS[name]
    except KeyError:
        raise ConfigError(f"no video codec is named {name!r}; there are {', '.join(available())}") from None


def available() -> list[str]:
    """The keys of `CODECS` that this build of FFmpeg has an encoder for; hardware may still be missing."""
    return [name for name, codec in CODECS.items() if _encoder(codec)]


def find_encoder(name: str) -> str:
    """FFmpeg's name of the encoder for a codec. Raises ConfigError when this build has none."""
    encoder = _encoder(codec_of(name))
    if encoder is None:
        raise ConfigError(
            f"{name}: this build of FFmpeg has no such encoder; it has {', '.join(available())}"
        )
    return encoder


def _encoder(codec: VideoCodec) -> str | None:
    for encoder in codec.encoders:
        try:
            av.Codec(encoder, "w")
        except (av.error.FFmpegError, ValueError):
            continue
        return encoder
    return None


def refused(encoder: str, size: tuple[int, int], error: Exception) -> SinkError:
    """Return the error for an encoder that does not open; `size` is (width, height) in pixels."""
    told = reason(error)
    if "_nvenc" in encoder:
        hint = "its device or driver may be missing; choose a software codec"
    else:
        hint = "another --codec may take this size"
    return SinkError(f"the encoder {encoder} refuses {size[0]} x {size[1]} pixels: {told}; {hint}")
