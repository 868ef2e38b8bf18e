"""Encoding: pictures in, packets with exact time stamps out, into an open container."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import av
from av.container import OutputContainer

from pipeline.frame import Image
from pipeline.sinks.codecs import codec_of, find_encoder, refused
from pipeline.sinks.colour import PictureConverter, apply_tags, padded_size
from pipeline.sources.picture.colours import ColourTags

_USUAL_RATE = Fraction(30)
_DEEPEST = 32  # more frames than any encoder reorders
_SLOWEST, _FASTEST = Fraction(1, 60), Fraction(240)


@dataclass(frozen=True)
class EncoderSettings:
    """The encoder and its options.

    codec:   a key of `formats.CODECS`
    quality: what the codec calls CRF, smaller is better; None for the codec's own
    preset:  of x264 and x265
    """

    codec: str = "h264"
    quality: int | None = None
    preset: str = "veryfast"


@dataclass(frozen=True)
class PictureFormat:
    """Properties that all pictures of one video have in common.

    width, height: in pixels
    tags:          what its colours mean
    aspect:        width of a pixel to its height
    """

    width: int
    height: int
    tags: ColourTags
    aspect: Fraction = Fraction(1)


def nominal_rate(rate: Fraction | None) -> Fraction:
    """A frame rate that every encoder takes, for rate control and for the file's header.

    Frames keep their own stamps whatever it is; a rate that makes no sense becomes 30.
    """
    if rate is None or not _SLOWEST <= rate <= _FASTEST:
        return _USUAL_RATE
    simple = rate.limit_denominator(1001)
    # MPEG-4 counts in 16 bits
    return simple if simple.numerator < 1 << 16 else Fraction(max(1, round(rate)))


class OutputStamps:
    """The time stamps of a video's frames in units of its container, strictly ascending.

    ticks:  what was given to each frame
    moved:  how many came out of order, or too close to the one before for `unit`, and were moved behind it
    worst:  the furthest that a frame lies from its own time, rounded or moved, in seconds
    """

    def __init__(self, unit: Fraction, interval: Fraction) -> None:
        self.unit = unit
        self.ticks = array("q")
        self.moved = 0
        self.worst = Fraction(0)
        self._interval = max(1, round(interval / unit))
        self._last: int | None = None

    def add(self, time: Fraction) -> int:
        """Take the next frame's time in seconds; returns its number, from 0."""
        tick = round(time / self.unit)
        if self.ticks and tick <= self.ticks[-1]:
            self.moved += 1
            tick = self.ticks[-1] + 1
        self.worst = max(self.worst, abs(tick * self.unit - time))
        self.ticks.append(tick)
        return len(self.ticks) - 1

    def at(self, number: int) -> int:
        """The stamp of a frame, or for a negative number one before the first, for decoding times.

        Those before lie no wider apart than the first frames: players drop a start that seems later than
        the end.
        """
        if number >= 0:
            return self.ticks[number]
        step = self._interval if len(self.ticks) < 2 else min(self._interval, self.ticks[1] - self.ticks[0])
        return self.ticks[0] + number * step

    def duration(self, number: int) -> int:
        """Return the duration of a frame, in units.

        For the last one that is what `end_at` was told, else as long as the one before it.
        """
        if number + 1 < len(self.ticks):
            return self.ticks[number + 1] - self.ticks[number]
        if self._last is not None and number + 1 == len(self.ticks):
            return self._last
        return self.duration(number - 1) if number else self._interval

    def end_at(self, time: Fraction) -> None:
        """Set the end of the last frame, in seconds; a time before it is ignored."""
        last = round(time / self.unit) - self.ticks[-1]
        self._last = last if last > 0 else self._last

    def end_tick(self) -> int:
        """The end of the last frame, in units."""
        last = len(self.ticks) - 1
        return self.ticks[last] + self.duration(last)

    def end(self) -> Fraction:
        """The end of the last frame, in seconds."""
        return self.end_tick() * self.unit


class VideoEncoder:
    """Encodes the pictures of one video stream.

    The encoder itself counts frames, one a tick, since some cannot count finely enough for real stamps;
    packets get the frames' own stamps when they come out. Rate control therefore treats every frame alike.

    `open` is called when the container has all its streams. Raises ConfigError.
    """

    def __init__(
        self, container: OutputContainer, settings: EncoderSettings, picture: PictureFormat, rate: Fraction
    ) -> None:
        codec = codec_of(settings.codec)
        self._container = container
        self._encoder = find_encoder(settings.codec)
        self._size = padded_size(picture.width, picture.height, codec.pixels)
        self._convert = PictureConverter(codec.pixels, picture.tags)
        self._tick = 1 / rate
        self._packets = 0
        self._first_decoded = 0
        self._held: av.Packet[av.VideoStream] | None = None
        os.environ.update({k: v for k, v in codec.environment.items() if k not in os.environ})
        width, height = self._size
        stream = container.add_stream(
            self._encoder,
            rate=rate,
            options=codec.encoder_options(settings.quality, settings.preset),
            width=width,
            height=height,
            pix_fmt=codec.pixels,
        )
        assert isinstance(stream, av.VideoStream)
        context = stream.codec_context
        context.time_base = self._tick
        context.sample_aspect_ratio = picture.aspect
        context.thread_type = "AUTO"  # the library's default cuts each frame into slices
        apply_tags(picture.tags, context, is_rgb=not codec.pixels.startswith("yuv"))
        if codec.tag and container.format.name in ("mp4", "mov"):
            context.codec_tag = codec.tag
        self._stream = stream

    @property
    def stream(self) -> av.VideoStream:
        """The stream that is written."""
        return self._stream

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels of what is encoded; larger by one than a picture of odd size."""
        return self._size

    def open(self, time_base: Fraction) -> OutputStamps:
        """Open encoder and container; the stamps to come are kept in what is returned.

        time_base: seconds a unit of the stamps to come; taken where the container can. Raises SinkError
        when the encoder refuses, OSError when the file cannot be written.
        """
        self._stream.time_base = time_base
        try:
            self._stream.codec_context.open()
        except av.error.FFmpegError as error:
            raise refused(self._encoder, self._size, error) from error
        self._container.start_encoding()
        unit = self._stream.time_base
        assert unit is not None
        self.stamps = OutputStamps(unit, self._tick)
        return self.stamps

    def write(self, picture: Image, time: Fraction) -> None:
        """Encode one picture, [H, W, 3] uint8 BGR, shown from `time` on, in seconds."""
        frame = self._convert(picture)
        frame.pts, frame.time_base = self.stamps.add(time), self._tick
        self._mux(self._stream.encode(frame))

    def flush(self) -> None:
        """Write what the encoder still holds.

        The last packet lasts until the video ends, and is decoded as late as the steps between decoding times
        add up to the whole, by which FFmpeg tells how long an mp4 is. The muxer of mp4 and mov takes the end
        of the track from its last fragment alone; the frame shown last may have been decoded, and written,
        in an earlier one, and players drop what lies behind the end.
        """
        self._mux(self._stream.encode(None))
        if self._held is not None:
            assert self._held.pts is not None
            self._held.duration = self.stamps.end_tick() - self._held.pts
            self._held.dts = self._latest_decoding(self._held)
            self._container.mux(self._held)
            self._held = None

    def _latest_decoding(self, packet: av.Packet[av.VideoStream]) -> int:
        """Return the latest decoding time of the last packet, in units."""
        assert packet.pts is not None
        assert packet.dts is not None
        whole = self.stamps.end_tick() - self.stamps.ticks[0]
        return max(packet.dts, min(packet.pts, self._first_decoded + whole - (packet.duration or 0)))

    def _mux(self, packets: Iterable[av.Packet[av.VideoStream]]) -> None:
        """Write packets, but for the latest: only `flush` knows that no other follows."""
        for packet in packets:
            self._stamp(packet)
            if self._held is not None:
                self._container.mux(self._held)
            self._held = packet

    def _stamp(self, packet: av.Packet[av.VideoStream]) -> None:
        """Give a packet the real stamps for the encoder's count."""
        shown, decoded = packet.pts, packet.dts
        assert shown is not None
        if decoded is None or not -_DEEPEST <= decoded <= shown:
            decoded = self._packets - 2  # x265 leaves it undefined in a video of one or two frames
        packet.pts, packet.dts = self.stamps.at(shown), self.stamps.at(decoded)
        packet.duration = self.stamps.duration(shown)
        packet.time_base = self.stamps.unit
        if not self._packets:
            self._first_decoded = packet.dts
        self._packets += 1
