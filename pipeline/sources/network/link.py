"""One connection to a network stream."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

import av
from av.container import InputContainer

from pipeline.sources.addresses import redacted, scheme_of, with_quoted_login
from pipeline.sources.decoding import decoded
from pipeline.sources.ffmpeg import WITHOUT_STAMPS, choose_stream, reason
from pipeline.sources.network.transports import Transport, options_for
from pipeline.sources.picture.pixel_shape import PixelShape
from pipeline.sources.timing.extent import Extent
from pipeline.sources.timing.order import order_of
from pipeline.sources.warning_log import WarningLog

_SEGMENT = 20.0  # seconds; twice the longest piece by which live playlists (HLS) usually grow


class ConnectionLost(Exception):  # noqa: N818  (it may be made good)
    """A connection that failed, or that ended before its stream did. The text says why, and no address."""


@dataclass(frozen=True, repr=False)
class Target:
    """An address and how to open it. It holds the password, so that it has no repr that shows it.

    open_timeout, read_timeout: seconds, as for `open_stream`
    """

    address: str
    transport: Transport
    open_timeout: float
    read_timeout: float

    @property
    def name(self) -> str:
        """The address as it may be shown."""
        return redacted(self.address)


class Link:
    """An open connection. It waits for the network only within `interruptible`."""

    def __init__(self, target: Target) -> None:
        """Connect. Raises ConnectionLost, and SourceError when there is no video in the stream."""
        self._target = target
        self._last_data = self._last_picture = monotonic()
        failure = ""
        try:
            self._container = _open(target)
            is_live_playlist = is_playlist(self._container) and not self._container.duration
            if is_live_playlist and target.read_timeout < _SEGMENT:
                self._container.close()  # PyAV's time-outs cannot be changed later
                self._target = target = replace(target, read_timeout=_SEGMENT)
                self._container = _open(target)
        except (av.FFmpegError, OSError, ValueError) as error:
            failure = self._why(error, target.open_timeout, "answer")
        if failure:  # raised out here, so that FFmpeg's error, which tells the address, is not carried along
            raise ConnectionLost(failure)
        try:
            self.stream = choose_stream(self._container, target.name)
        except BaseException:
            self._container.close()
            raise
        size = self._container.size
        self._order = order_of(self._container.format.name)
        self.has_stamps = self._container.format.name not in WITHOUT_STAMPS
        """True if the stream has presentation times; if not, FFmpeg makes them up."""
        has_size = size > 0 and not is_playlist(self._container)  # which has one of its own
        is_finite = has_size or bool(self._container.duration)
        self.is_recording = is_finite and self.has_stamps and not target.transport.endless
        """True if a file is at the other end, which waits for its reader."""
        self._extent = Extent(self._container, self.stream, size) if self.is_recording and size > 0 else None
        # threads that each decode a frame make every frame late
        self.stream.codec_context.thread_type = "AUTO" if self.is_recording else "SLICE"

    @property
    def container(self) -> InputContainer:
        """FFmpeg's container."""
        return self._container

    def pictures(self, log: WarningLog, shape: PixelShape) -> Iterator[av.VideoFrame]:
        """The decoded frames. Raises ConnectionLost where the connection ends before the stream does.

        A recording that breaks off is told in `log`, as for a file. shape: marks the frames
        """
        failure = ""
        try:
            self._last_picture = monotonic()
            pictures = decoded(self._container, self.stream, log, self._watch, order=self._order, shape=shape)
            for picture in pictures:
                yield picture
                self._last_picture = monotonic()
        except (av.FFmpegError, OSError) as error:
            failure = self._why(error, self._target.read_timeout, "data")
        if failure and self.is_recording:
            log.add_cut(f"reading stopped before the end: {failure}")
        elif not self.is_recording:
            raise ConnectionLost(failure or self._ending)
        if self._extent is not None and (shortfall := self._extent.shortfall()):
            log.add_cut(shortfall)

    def close(self) -> None:
        """Hang up."""
        self._container.close()

    @property
    def _ending(self) -> str:
        """Return the meaning of an end without an error: a playlist says so, is gone or stands still."""
        return "its playlist grows no more" if is_playlist(self._container) else "the other side ended it"

    def _watch(self, packet: av.Packet[Any]) -> None:
        """Note that data came. It may be no picture, but sound, or nothing that can be decoded."""
        self._last_data = monotonic()
        patience = self._target.open_timeout + self._target.read_timeout
        if self._last_data - self._last_picture > patience:
            raise TimeoutError(None, f"no picture within {patience:g} s")
        if self._extent is not None:
            self._extent.watch(packet)

    def _why(self, error: Exception, limit: float, expected: str) -> str:
        """FFmpeg tells a time-out by ExitError, or by any other; the clock knows better."""
        is_late = isinstance(error, av.FFmpegError) and monotonic() - self._last_data >= limit
        if is_late or isinstance(error, av.error.ExitError):
            return f"no {expected} within {limit:g} s"
        if expected == "answer" and isinstance(error, av.EOFError):
            return "the other side ended it before any picture"
        if expected == "answer" and isinstance(error, av.FFmpegError) and error.errno == errno.EIO:
            return (
                "no connection: the host is unknown, what answers there does not speak "
                f"{scheme_of(self._target.address)}, or its certificate is not one to trust"
            )
        return reason(error)


def is_playlist(container: InputContainer) -> bool:
    """Return True for HLS: a list of files that, where it is live, grows by and by."""
    return container.format.name == "hls"


def _open(target: Target) -> InputContainer:
    return av.open(
        with_quoted_login(target.address),
        "r",
        options=options_for(target.transport),
        timeout=(target.open_timeout, target.read_timeout),
        metadata_errors="replace",
    )
