"""The reading side of a network stream: connects, makes frames, and connects again."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from time import monotonic

from model.errors import SourceError, StreamLostError
from pipeline.frame import Frame
from pipeline.sources.base import SourceInfo
from pipeline.sources.decoding import FrameMaker
from pipeline.sources.ffmpeg import beginning, nominal_duration, nominal_rate
from pipeline.sources.network.interruption import interruptible
from pipeline.sources.network.link import ConnectionLost, Link, Target, is_playlist
from pipeline.sources.warning_log import WarningLog


@dataclass(frozen=True)
class Reconnect:
    """Options of reconnecting: up to `attempts` times in a row, waiting twice as long each time.

    first_delay, longest_delay: seconds
    """

    attempts: int = 5
    first_delay: float = 0.5
    longest_delay: float = 8.0

    def delay(self, attempt: int) -> float:
        """Seconds to wait before an attempt; they are counted from 1."""
        return float(min(self.first_delay * 2.0 ** (attempt - 1), self.longest_delay))


class Receiver:
    """The frames of a stream, over as many connections as it takes. For one thread, not the main one."""

    def __init__(
        self, target: Target, reconnect: Reconnect, interrupted: threading.Event, log: WarningLog
    ) -> None:
        self._target = target
        self._reconnect = reconnect
        self._interrupted = interrupted
        self._log = log
        self._maker: FrameMaker | None = None
        self._last_frame_at = 0.0
        self._info: SourceInfo | None = None

    @property
    def info(self) -> SourceInfo:
        """Facts about the stream, from its first frame on."""
        assert self._info is not None
        return self._info

    def frames(self) -> Generator[Frame, None, None]:
        """Yield frames until the stream ends for good or is interrupted.

        Raises SourceError when the first connection fails, StreamLostError when more of them in a row fail
        than there are attempts.
        """
        failures = 0
        with interruptible(self._interrupted):
            while not self._interrupted.is_set():
                lost = ""
                try:
                    for frame in self._of_one_connection():
                        failures = 0
                        yield frame
                except ConnectionLost as loss:
                    lost = str(loss)
                if self._interrupted.is_set():
                    return
                if not lost and self._info is not None:
                    return
                failures += 1
                self._put_up_with(lost or "nothing of it can be decoded", failures)
                self._interrupted.wait(self._reconnect.delay(failures))

    def _put_up_with(self, lost: str, failures: int) -> None:
        """Note a lost connection. Raises SourceError for the first, StreamLostError for one too many."""
        if self._info is None:
            raise SourceError(f"{self._target.name}: cannot be opened: {lost}")
        if failures > self._reconnect.attempts:
            attempts = self._reconnect.attempts
            tried = f" after {attempts} attempt(s) to reconnect" if attempts else ""
            raise StreamLostError(f"{self._target.name}: the stream is lost{tried}: {lost}")
        self._log.add(f"the connection was lost {{count}} time(s): {lost}")

    def _of_one_connection(self) -> Iterator[Frame]:
        with closing(Link(self._target)) as link:
            if self._maker is None:
                self._maker = FrameMaker(link.stream, self._log, by_arrival=not link.has_stamps)
            elif link.is_recording and is_playlist(link.container):
                return  # it was live, says now that it has come to its end, and was read up to there
            else:
                self._maker.resume(monotonic() - self._last_frame_at)
            time_base = link.stream.time_base
            for picture in link.pictures(self._log, self._maker.shape):
                frame = self._maker.make(picture, time_base)
                if frame is not None:
                    self._last_frame_at = frame.captured_at
                    self._info = self._info or self._describe(link, frame)
                    yield frame

    def _describe(self, link: Link, first: Frame) -> SourceInfo:
        rate = nominal_rate(link.stream) if link.has_stamps else None
        duration = nominal_duration(link.container, link.stream) if link.is_recording else None
        height, width = first.size
        return SourceInfo(
            name=self._target.name,
            live=not link.is_recording,
            width=width,
            height=height,
            frame_rate=rate,
            frame_count=round(rate * duration) if rate and duration else None,
            duration=duration,
            start=beginning(link.container, link.stream),
            pixel_aspect=self._maker.pixel_aspect if self._maker else Fraction(1),
            colours=self._maker.colours if self._maker else None,
        )
