"""Decode the packets of a container into frames, for files and streams alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from time import monotonic
from typing import Any

import av
from av.container import InputContainer

from pipeline.frame import Frame, Image
from pipeline.sources.demuxing import LATE, packets_of
from pipeline.sources.ffmpeg import MAX_PIXELS, is_partial, nominal_rate
from pipeline.sources.picture.colours import ColourTags, tags_of
from pipeline.sources.picture.cropping import NO_CROP, Crop
from pipeline.sources.picture.deinterlace import Deinterlacer
from pipeline.sources.picture.pixel_shape import PixelShape
from pipeline.sources.picture.pixels import Pictures
from pipeline.sources.timing.clock import Clock
from pipeline.sources.timing.order import DecodingOrder
from pipeline.sources.timing.stamps import ANEW, Stamps
from pipeline.sources.warning_log import WarningLog

DAMAGED = "{count} damaged packet(s) were skipped"
UNREADABLE = "{count} frame(s) could not be converted and were left out"

# formats that tell of every picture how long it is shown; FFmpeg gives an average elsewhere
_WITH_DURATIONS = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "gif", "apng"})

_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}

_USUAL_TIME_BASE = Fraction(1, 90_000)


def decoded(
    container: InputContainer,
    stream: av.VideoStream,
    log: WarningLog,
    watch: Callable[[av.Packet[Any]], None] = lambda packet: None,
    from_key_frame: bool = False,
    order: DecodingOrder | None = None,
    clock: Clock | None = None,
    shape: PixelShape | None = None,
) -> Iterator[av.VideoFrame]:
    """The frames of a stream in the order in which they are shown; interlaced ones are made whole.

    watch:          called with every packet of all streams
    from_key_frame: the container stands anywhere; what cannot be decoded there is left out
    order:          of this file, where its container has no presentation times
    clock:          new, where the file may be several recordings
    shape:          marks frames whose pixels have another shape than the first one's

    Damaged packets are skipped and counted. Where reading breaks off, the frames that the decoder still holds
    come first, then the error is raised: av.FFmpegError or OSError.
    """
    decoder = _Decoder(stream, log, order, shape)
    broken: Exception | None = None
    begun = not from_key_frame

    def late() -> None:
        if LATE not in log.messages:
            log.add(LATE)

    try:
        for read in packets_of(container, on_late=late):
            watch(read)
            for packet in (read,) if clock is None else clock.put(read):
                # an empty packet would be the end to the decoder, and broken files have them anywhere
                if packet.stream_index == stream.index and packet.size:
                    begun = begun or packet.is_keyframe
                    if begun:
                        yield from decoder.put(packet)
    except (av.FFmpegError, OSError) as error:
        broken = error
    for packet in () if clock is None else clock.flush():
        if packet.stream_index == stream.index:
            yield from decoder.put(packet)
    yield from decoder.flush()
    if clock is not None and clock.joints:
        log.add(ANEW, clock.joints)
    if broken is not None:
        raise broken


class _Decoder:
    """Packets in, whole pictures out, whatever becomes of some of them."""

    def __init__(
        self,
        stream: av.VideoStream,
        log: WarningLog,
        order: DecodingOrder | None,
        shape: PixelShape | None,
    ) -> None:
        self._decoder: av.VideoCodecContext = _with_alpha(stream) or stream.codec_context
        self._shape = shape
        if shape is not None:
            shape.restart()
        self._order = order
        if order is not None:
            order.restart()
        self._log = log
        self._deinterlacer = Deinterlacer()

    def put(self, packet: av.Packet[Any]) -> list[av.VideoFrame]:
        """Decode a packet, and return the frames that are complete."""
        if is_partial(packet):
            self._log.add(DAMAGED)
            return []
        return self._decode(packet)

    def flush(self) -> list[av.VideoFrame]:
        """Return the frames that the decoder still holds."""
        ready = self._decode(None)
        with self._noting_damage():
            ready += self._marked(self._deinterlacer.flush())
        return ready

    def _decode(self, packet: av.Packet[Any] | None) -> list[av.VideoFrame]:
        ready: list[av.VideoFrame] = []
        if self._order is not None and packet is not None:
            self._order.put(packet)
        with self._noting_damage():
            for frame in self._decoder.decode(packet):
                if self._order is not None:
                    self._order.stamp(frame)
                ready += self._marked(self._deinterlacer.put(frame))
        return ready

    def _marked(self, frames: list[av.VideoFrame]) -> list[av.VideoFrame]:
        if self._shape is not None:
            for frame in frames:
                self._shape.mark(frame, self._decoder.sample_aspect_ratio)
        return frames

    @contextmanager
    def _noting_damage(self) -> Iterator[None]:
        try:
            yield
        except av.FFmpegError:
            self._log.add(DAMAGED)


def _with_alpha(stream: av.VideoStream) -> av.VideoCodecContext | None:
    """Return a decoder of VP8 or VP9 with transparency, where there is some: FFmpeg's own drop it."""
    name = _WITH_ALPHA.get(stream.codec_context.name)
    if name is None or stream.metadata.get("alpha_mode") != "1":
        return None
    try:
        decoder = av.CodecContext.create(name, "r")
    except (av.FFmpegError, ValueError):  # not in this build of FFmpeg
        return None
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.options = {"max_pixels": str(MAX_PIXELS)}
    return decoder


class FrameMaker:
    """Makes the pipeline's frames: counted from 0, upright, of one size, with stamps that grow."""

    def __init__(
        self,
        stream: av.VideoStream,
        log: WarningLog,
        by_arrival: bool = False,
        counted: Fraction | None = None,
        crop: Crop = NO_CROP,
    ) -> None:
        """by_arrival: frames are stamped with the time at which they come, not with what the stream says.
        counted: they are so many a second, whatever it says.
        crop: what the container says of their edges
        """
        self.time_base = (not by_arrival and stream.time_base) or _USUAL_TIME_BASE
        if counted is not None:
            self.time_base = 1 / counted
        self._number = 0 if counted is not None else None
        self._begun = monotonic() if by_arrival else None
        self._rate = nominal_rate(stream)
        self._has_durations = not by_arrival and stream.container.format.name in _WITH_DURATIONS
        self.shape = PixelShape(stream, log)
        self._pictures = Pictures(log, tags_of(stream.codec_context), crop)
        self._stamps = Stamps(self.time_base, self._rate, log)
        self._log = log
        self._count = 0

    @property
    def colours(self) -> ColourTags:
        """Colour tags of the pictures' BGR, from the first one on."""
        return self._pictures.colours

    @property
    def pixel_aspect(self) -> Fraction:
        """Width of a pixel of the upright pictures to its height, from the first one on."""
        aspect = self.shape.declared
        return 1 / aspect if self._pictures.sideways else aspect

    def make(self, frame: av.VideoFrame, time_base: Fraction | None = None) -> Frame | None:
        """The next frame; None when its pixels cannot be converted.

        time_base: that of the frame's stamp, where it is not the one of all frames
        """
        image = self._image(frame)
        if image is None:
            return None
        at = monotonic()
        given = self._given(frame, time_base or self.time_base, at)
        return self._counted(image, self._stamps.next(given), at, self._duration(frame))

    def stamp(self, frame: av.VideoFrame) -> int:
        """The time stamp of the next frame, which may then be left out, in units of `time_base`."""
        return self._stamps.next(self._given(frame, self.time_base, monotonic()))

    def finish(self, frame: av.VideoFrame, pts: int) -> Frame | None:
        """The frame that `stamp` gave this stamp; None when its pixels cannot be converted."""
        image = self._image(frame)
        return None if image is None else self._counted(image, pts, monotonic(), self._duration(frame))

    @property
    def stands_alone(self) -> bool:
        """True if no stamp since the last `restart` depends on earlier ones."""
        return self._stamps.stand_alone

    def restart(self) -> None:
        """The next frame comes from another place in the same file: its stamp need not grow."""
        self._stamps = Stamps(self.time_base, self._rate, self._log)
        self._number = None if self._number is None else 0

    def resume(self, seconds: float) -> None:
        """The next frame comes from a new connection, this long after the last one."""
        self._stamps.resume(seconds)

    def _image(self, frame: av.VideoFrame) -> Image | None:
        try:
            return self._pictures.make(frame)
        except av.FFmpegError:
            self._log.add(UNREADABLE)
            return None

    def _duration(self, frame: av.VideoFrame) -> Fraction | None:
        return frame.duration * self.time_base if self._has_durations and frame.duration > 0 else None

    def _counted(self, image: Image, pts: int, at: float, duration: Fraction | None) -> Frame:
        made = Frame(image, self._count, pts, self.time_base, at, duration=duration)
        self._count += 1
        return made

    def _given(self, frame: av.VideoFrame, time_base: Fraction, at: float) -> int | None:
        """The stamp that a frame comes with, or comes at, in units of all frames' time base."""
        if self._number is not None:
            self._number += 1
            return self._number - 1
        if self._begun is not None:
            return round((at - self._begun) / self.time_base)
        if frame.pts is None or time_base == self.time_base:
            return frame.pts
        return round(frame.pts * time_base / self.time_base)
