"""Live sources that are opened again when they were lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from model.errors import SourceError
from pipeline.frame import Frame, Image
from pipeline.sources.base import Source, SourceInfo
from pipeline.sources.timing.stamps import Stamps
from pipeline.sources.warning_log import WarningLog

OpenAgain = Callable[[threading.Event], Source]


@dataclass(frozen=True)
class BackOff:
    """Seconds before an attempt to open a source again: twice as many each time."""

    first: float = 0.5
    longest: float = 5.0


class ReconnectingSource:
    """A live source that is opened again whenever it is lost, until it is interrupted, as `Source` has it.

    Indices and time stamps keep growing; the time in between is counted. What comes back with another picture
    size is fitted into the first one's. A live stream that comes back as a recording has ended.
    """

    def __init__(
        self,
        open_again: OpenAgain,
        first: Source,
        on_lost: Callable[[str], None],
        on_back: Callable[[], None],
        back_off: BackOff = BackOff(),
    ) -> None:
        """open_again: gets an event, new each time, that ends the opening and then stands for `interrupt`
        first:      is open, and closed by this source
        on_lost:    called with the reason when the source is lost, once until it is back
        on_back:    called when there are pictures again; both on the thread that reads
        """
        self._open_again = open_again
        self._on_lost = on_lost
        self._on_back = on_back
        self._back_off = back_off
        self._delay = back_off.first
        self._info = first.info
        self._log = WarningLog()
        self._warnings: tuple[str, ...] = ()
        self._stamps: Stamps | None = None
        self._last: Frame | None = None
        self._base = 0  # index of the first frame since the source was opened
        self._lost = False
        self._interrupted = threading.Event()
        self._lock = threading.Lock()  # guards the two that `interrupt` has to reach
        self._source: Source | None = first
        self._attempt = threading.Event()

    @property
    def info(self) -> SourceInfo:
        """Properties of the source when it was first opened."""
        return self._info

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings of the newest connection, and of time stamps since the first; losses go to `on_lost`."""
        source = self._source
        own = self._warnings if source is None else source.warnings
        return (*own, *self._log.messages)

    def read(self) -> Frame | None:
        """The next frame; waits for the source to come back. None once interrupted, or at a stream's end."""
        while not self._interrupted.is_set():
            source = self._source or self._opened_again()
            if source is None:
                return None
            try:
                frame = source.read()
            except SourceError as error:
                self._lose(source, str(error))
                continue
            return None if frame is None else self._continued(frame)
        return None

    def interrupt(self) -> None:
        """Make `read` return None; may be called from any thread."""
        with self._lock:
            self._interrupted.set()
            self._attempt.set()
            if self._source is not None:
                self._source.interrupt()

    def close(self) -> None:
        """Release what is open."""
        self.interrupt()
        if self._source is not None:
            self._source.close()

    def _lose(self, source: Source, reason: str) -> None:
        with self._lock:
            self._source = None
        source.close()
        self._warnings = source.warnings
        if not self._lost and not self._interrupted.is_set():
            self._lost = True
            self._on_lost(reason)

    def _opened_again(self) -> Source | None:
        """The source once it can be opened; None once interrupted, or when it is live no more."""
        while not self._interrupted.wait(self._delay):
            self._delay = min(2 * self._delay, self._back_off.longest)
            with self._lock:
                # a source sets the event of its opening when it is closed, so that none can be used twice
                attempt = self._attempt = threading.Event()
                if self._interrupted.is_set():
                    break
            try:
                source = self._open_again(attempt)
            except SourceError:
                continue
            self._adopt(source)
            if source.info.live:
                return source
            self.interrupt()  # for good
        return None

    def _adopt(self, source: Source) -> None:
        with self._lock:
            self._source = source
            if self._interrupted.is_set():
                source.interrupt()

    def _continued(self, frame: Frame) -> Frame:
        """The frame as one of all that came since the first opening."""
        if self._stamps is None:
            self._stamps = Stamps(frame.time_base, self._info.frame_rate, self._log)
        if self._lost:
            self._lost = False
            self._delay = self._back_off.first
            if self._last is not None:
                self._base = self._last.index + 1
                self._stamps.resume(frame.captured_at - self._last.captured_at)
            self._on_back()
        time_base = self._stamps.time_base
        self._last = replace(
            frame,
            image=_of_size(frame, self._info),
            index=self._base + frame.index,
            pts=self._stamps.next(round(frame.time / time_base)),
            time_base=time_base,
        )
        return self._last


def _of_size(frame: Frame, info: SourceInfo) -> Image:
    if frame.size == (info.height, info.width):
        return frame.image
    from pipeline.sources.picture.letterbox import letterboxed

    return letterboxed(frame.image, (info.height, info.width))
