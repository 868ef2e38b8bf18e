"""Makes small videos of every kind that tests need, with real encoders and real containers.

Every frame carries its number in a strip of black and white bands along its upper edge, which survives lossy
codecs, so that a test can tell which frame it is looking at (`number_of`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

BANDS = 8
AUDIO_RATE = 48_000


@dataclass(frozen=True)
class Colour:
    """How RGB becomes YUV, and what the file says about it; `tagged=False` leaves the file without a word."""

    matrix: Colorspace = Colorspace.ITU601
    full_range: bool = False
    tagged: bool = True


@dataclass(frozen=True)
class Clip:
    """What to write. The defaults make a small progressive H.264 video of 8 frames at 25 frames a second.

    size:         (width, height) in pixels, as stored, before any rotation
    times:        the time stamp of every frame in units of `time_base`; None: evenly, at `rate`
    rotation:     degrees counter-clockwise by which a player has to turn the picture, as `hflip` and `vflip`
    picture:      number, width, height -> [H, W, 3] uint8 BGR
    seconds_of_audio: 0 leaves the audio track out
    """

    size: tuple[int, int] = (64, 48)
    frames: int = 8
    rate: Fraction = Fraction(25)
    times: Sequence[int] | None = None
    time_base: Fraction = Fraction(1, 12_800)
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    options: dict[str, str] = field(default_factory=dict)
    container: str | None = None
    container_options: dict[str, str] = field(default_factory=dict)
    seconds_of_audio: float = 0
    audio_codec: str = "aac"
    subtitles: Sequence[str] = ()
    subtitle_codec: str = "mov_text"
    rotation: int = 0
    hflip: bool = False
    vflip: bool = False
    interlaced: bool = False
    colour: Colour = Colour()
    picture: Callable[[int, int, int], Picture] | None = None

    def stamps(self) -> list[int]:
        if self.times is not None:
            return list(self.times)
        return [round(number / self.rate / self.time_base) for number in range(self.frames)]


_QUICK = {
    "libx264": {"preset": "ultrafast", "crf": "12"},
    "libx265": {"preset": "ultrafast", "crf": "12", "x265-params": "log-level=none:pools=1"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "12", "b": "0"},
    "mpeg4": {"qscale": "2", "flags": "+qscale", "global_quality": "236"},
    "libsvtav1": {"preset": "12", "svtav1-params": "log=-1"},
}


def write_clip(path: Path | str, clip: Clip | None = None, /, **changes: object) -> list[Picture]:
    """Writes a video and returns the BGR pictures that went into it, as stored (not rotated).

    `write_clip(path, rotation=90, frames=3)` is short for `write_clip(path, Clip(rotation=90, frames=3))`.
    """
    clip = clip or Clip(**changes)  # type: ignore[arg-type]
    stamps = clip.stamps()
    pictures = [(clip.picture or numbered_picture)(number, *clip.size) for number in range(len(stamps))]
    with av.open(str(path), "w", format=clip.container, options=dict(clip.container_options)) as output:
        video = _add_video(output, clip)
        audio = _add_audio(output, clip) if clip.seconds_of_audio else None
        subtitles = output.add_mux_stream(clip.subtitle_codec) if clip.subtitles else None
        for picture, stamp in zip(pictures, stamps, strict=True):
            output.mux(video.encode(_encodable(picture, stamp, clip)))
        output.mux(video.encode(None))
        if audio is not None:
            _write_audio(output, audio, clip.seconds_of_audio)
        if subtitles is not None:
            _write_subtitles(output, subtitles, clip)
    return pictures


def numbered_picture(number: int, width: int, height: int) -> Picture:
    """A smooth coloured picture of [height, width, 3] BGR that shows its number (0 to 255) along its top."""
    x, y = np.linspace(40, 215, width), np.linspace(40, 215, height)
    blue = np.broadcast_to(x[None, :], (height, width))
    green = np.broadcast_to(y[:, None], (height, width))
    red = np.full((height, width), 40 + (number * 20) % 176)
    picture = np.stack([blue, green, red], axis=-1).astype(np.uint8)
    strip = picture[: max(1, height // 4)]
    for band in range(BANDS):
        bright = number >> (BANDS - 1 - band) & 1
        strip[:, band * width // BANDS : (band + 1) * width // BANDS] = 235 if bright else 16
    return picture


def number_of(picture: Picture) -> int:
    """The number that an upright `numbered_picture` shows."""
    height, width = picture.shape[:2]
    strip = picture[: max(1, height // 4)].mean(axis=(0, 2))
    bits = [strip[band * width // BANDS : (band + 1) * width // BANDS].mean() > 125 for band in range(BANDS)]
    return int(sum(bit << (BANDS - 1 - band) for band, bit in enumerate(bits)))


def turned(picture: Picture, rotation: int, hflip: bool = False, vflip: bool = False) -> Picture:
    """What a player shows of a stored picture with this rotation metadata, by NumPy: the slow, obvious way.

    In PyAV's order: the picture is turned counter-clockwise first, then flipped.
    """
    picture = np.rot90(picture, rotation // 90)
    picture = picture[:, ::-1] if hflip else picture
    return np.ascontiguousarray(picture[::-1] if vflip else picture)


def _add_video(output: av.container.OutputContainer, clip: Clip) -> av.VideoStream:
    options = {"threads": "1"} | _QUICK.get(clip.codec, {}) | clip.options
    if clip.interlaced:
        options["flags"] = options.get("flags", "") + "+ildct+ilme"
    stream = output.add_stream(clip.codec, rate=clip.rate, options=options)
    assert isinstance(stream, av.VideoStream)
    stream.width, stream.height = clip.size
    stream.pix_fmt = clip.pixel_format
    stream.codec_context.time_base = clip.time_base
    stream.time_base = clip.time_base
    if clip.rotation or clip.hflip or clip.vflip:
        stream.set_display_rotation(clip.rotation, hflip=clip.hflip, vflip=clip.vflip)
    if clip.colour.tagged:
        _tag(stream.codec_context, clip.colour)
    return stream


_TAGS = {  # matrix -> numbers of ISO/IEC 23091-2 for matrix, primaries and transfer
    Colorspace.ITU601: (6, ColorPrimaries.SMPTE170M, ColorTrc.SMPTE170M),
    Colorspace.ITU709: (1, ColorPrimaries.BT709, ColorTrc.BT709),
    Colorspace.BT2020: (9, ColorPrimaries.BT2020, ColorTrc.BT2020_10),
}


def _tag(context: av.VideoCodecContext, colour: Colour) -> None:
    context.colorspace, context.color_primaries, context.color_trc = map(int, _TAGS[colour.matrix])
    context.color_range = int(ColorRange.JPEG if colour.full_range else ColorRange.MPEG)


def _encodable(picture: Picture, stamp: int, clip: Clip) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(
        format=clip.pixel_format,
        dst_colorspace=clip.colour.matrix,
        dst_color_range=ColorRange.JPEG if clip.colour.full_range else ColorRange.MPEG,
        interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP,
        threads=1,
    )
    if not clip.colour.tagged:
        frame.colorspace, frame.color_range = 2, 0
    frame.pts, frame.time_base = stamp, clip.time_base
    return frame


def _add_audio(output: av.container.OutputContainer, clip: Clip) -> av.AudioStream:
    stream = output.add_stream(clip.audio_codec, rate=AUDIO_RATE)
    assert isinstance(stream, av.AudioStream)
    stream.layout = "mono"
    return stream


def _write_audio(output: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    """A tone of 440 Hz."""
    time = np.arange(int(seconds * AUDIO_RATE)) / AUDIO_RATE
    wave = (8000 * np.sin(2 * np.pi * 440 * time)).astype(np.int16)
    for start in range(0, wave.size, 1024):
        frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = AUDIO_RATE, start, Fraction(1, AUDIO_RATE)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def _write_subtitles(output: av.container.OutputContainer, stream: av.stream.Stream, clip: Clip) -> None:
    """One line after another, 100 ms each."""
    for number, line in enumerate(clip.subtitles):
        text = line.encode()
        packet = av.Packet(len(text).to_bytes(2, "big") + text if clip.subtitle_codec == "mov_text" else text)
        packet.time_base, packet.stream = Fraction(1, 1000), stream
        packet.pts = packet.dts = 100 * number
        packet.duration = 100
        output.mux(packet)
