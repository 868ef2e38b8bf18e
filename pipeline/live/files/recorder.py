"""Recordings that begin and end during a live run."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence
from fractions import Fraction
from time import monotonic

from model.errors import SinkError
from pipeline.frame import Result
from pipeline.frame_queue import FrameQueue, QueueClosed
from pipeline.metrics.run import Metrics
from pipeline.sinks.base import Sink, SinkReport
from pipeline.sources.base import SourceInfo
from pipeline.stages import Delivery

OnEnd = Callable[[tuple[SinkReport, ...], Exception | None], None]
"""Takes the reports of a recording's sinks, and the error that ended it; called once, by its thread."""

TIME_BASE = Fraction(1, 90_000)
MOST_UNFINISHED = 4  # recordings that may still be written: more of them tell of a disk that does not answer
ROOM = 8  # frames that may wait for the encoder: a quarter of a second, and 50 MB in Full HD
DRAIN = 0.8  # seconds that `close` gives a recording to write what waits
FINISH = 0.7  # seconds that it gives it after that, to end its files


class Recorder:
    """Passes results on to the sinks of a recording, as long as there is one; open as long as frames come.

    `write` never waits: a recording has a thread of its own, and frames for which its queue has no room are
    dropped and counted. What goes wrong in a recording ends the recording and nothing else.

    A recording shows when frames were seen, whatever the source's own stamps are (somebody may have paused
    it, or gone back): stamps count from the first frame by `Frame.captured_at`, in units of `TIME_BASE`,
    strictly ascending. Its sinks see a live source without a file, of the first frame's size; a frame of
    another size ends it in order.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._info: SourceInfo | None = None
        self._current: _Recording | None = None
        self._unfinished: list[_Recording] = []
        self._count = 0

    @property
    def recording(self) -> bool:
        """True if the next frame is going to be recorded."""
        with self._lock:
            return self._is_recording()

    def start(self, sinks: Sequence[Sink], on_end: OnEnd) -> None:
        """Begin with the next frame. From any thread; returns at once.

        on_end may call any method but `close`. The sinks are opened when the first frame is here, and closed
        as complete unless one of them fails. Raises SinkError while another recording goes on, where no
        source is shown, and while the ends of too many are still being written.
        """
        with self._lock:
            recording = _Recording(self._startable(), sinks, on_end)
            recording.start()
            self._current = recording
            self._unfinished.append(recording)
            self._count += 1

    def stop(self) -> None:
        """End the recording after the frames that it has. From any thread; returns at once.

        Another one may be started right away. Without a recording this does nothing.
        """
        with self._lock:
            recording, self._current = self._current, None
        if recording is not None:
            recording.finish()

    def open(self, info: SourceInfo) -> None:
        """Get ready for a source."""
        with self._lock:
            self._info, self._count = info, 0

    def write(self, result: Result) -> None:
        """Hand a result to the recording, if there is one. Never waits, never raises what it raises."""
        with self._lock:
            if self._current is not None and not self._current.take(result):
                self._current = None

    def close(self, complete: bool) -> SinkReport:
        """End the recording, which is whole however the run ended. Takes less than 2 s.

        A sink that writes for longer is left to its thread, and is a problem of the report.
        """
        with self._lock:
            self._info = None
        self.stop()
        left = self._join()
        summary = f"{self._count} recording{'s' * (self._count != 1)}"
        problems = ("a recording is still being written; it ends by itself",) * bool(left)
        return SinkReport(None, summary, problems, whole=complete)

    def _startable(self) -> SourceInfo:
        """The source that may be recorded now. Raises SinkError where there is none, or no room for more."""
        self._unfinished = [one for one in self._unfinished if one.alive]
        if self._info is None:
            raise SinkError("nothing is shown that could be recorded; open a source, then record")
        if self._is_recording():
            raise SinkError("a recording is going on already; stop it before another one is started")
        if len(self._unfinished) == MOST_UNFINISHED:
            raise SinkError(
                f"{MOST_UNFINISHED} earlier recordings are still being written; wait until they have ended"
            )
        return self._info

    def _is_recording(self) -> bool:
        return self._current is not None and self._current.going_on

    def _join(self) -> list[_Recording]:
        """Wait for all recordings; what waits to be written is given up where that takes too long.

        Returns those that still go on. No other one can start meanwhile: no source is open.
        """
        deadline = monotonic() + DRAIN
        for recording in self._unfinished:
            recording.join(deadline - monotonic())
        for recording in self._unfinished:
            recording.give_up_waiting()
        deadline = monotonic() + FINISH
        for recording in self._unfinished:
            recording.join(deadline - monotonic())
        self._unfinished = [one for one in self._unfinished if one.alive]
        return self._unfinished


class _Recording:
    """One recording: its queue, its thread and its sinks."""

    def __init__(self, info: SourceInfo, sinks: Sequence[Sink], on_end: OnEnd) -> None:
        self._info = info
        self._size: tuple[int, int] | None = None
        self._on_end = on_end
        self._queue: FrameQueue[Result] = FrameQueue("recorded", ROOM)
        self._delivery = Delivery(sinks, Metrics())
        self._clock = _Clock()
        self._taken = 0
        self._over = threading.Event()
        # a daemon, so that a disk that never answers cannot keep the whole program from ending
        self._thread = threading.Thread(target=self._work, name="livemask recording", daemon=True)

    @property
    def going_on(self) -> bool:
        """False once no more frames are taken."""
        return not self._over.is_set()

    @property
    def alive(self) -> bool:
        """False once everything is written and told."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def take(self, result: Result) -> bool:
        """Put a result into the queue, or drop it where there is no room; False when it is over.

        Called by one thread at a time, so that room that is there stays there.
        """
        self._size = self._size or result.frame.size
        if result.frame.size != self._size:
            self.finish()
        if not self.going_on:
            return False
        self._taken += 1
        if len(self._queue) < self._queue.capacity:
            try:
                self._queue.put(self._clock.stamped(result))
            except QueueClosed:  # it has failed this very moment
                return False
        return True

    def finish(self) -> None:
        """Take no more frames; those that wait are still written."""
        self._over.set()
        self._queue.close()

    def give_up_waiting(self) -> None:
        """Throw away what waits to be written."""
        self._queue.abort()

    def join(self, timeout: float) -> None:
        """Wait for the thread, at most so many seconds."""
        self._thread.join(max(timeout, 0))

    def _work(self) -> None:
        error = None
        try:
            self._delivery.run(self._queue, self._first_info, complete=lambda: True)
        except Exception as caught:  # whatever it is, it ends the recording and not the run
            error = caught
        self._over.set()
        self._queue.abort()
        self._on_end(tuple(map(self._with_drops, self._delivery.reports)), error)

    def _first_info(self) -> SourceInfo:
        """Return the source's info for the sinks, read once the first frame is there."""
        assert self._size is not None
        height, width = self._size
        return dataclasses.replace(
            self._info, live=True, width=width, height=height, path=None, frame_count=None, duration=None
        )

    def _with_drops(self, report: SinkReport) -> SinkReport:
        """Return the outcome with the number of missing frames, unless the recording broke off anyway."""
        dropped = self._taken - self._delivery.delivered
        if not dropped or not report.whole:
            return report
        why = f"{dropped} frame{'s' * (dropped > 1)} dropped, because writing took too long"
        return dataclasses.replace(report, summary=f"{report.summary}, {why}")


class _Clock:
    """Stamps frames by when they were captured."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._last = -1

    def stamped(self, result: Result) -> Result:
        """The result with its frame's new stamp: 0 for the first one, always more than the one before."""
        frame = result.frame
        if self._began is None:
            self._began = frame.captured_at
        self._last = max(round((frame.captured_at - self._began) / TIME_BASE), self._last + 1)
        return dataclasses.replace(
            result, frame=dataclasses.replace(frame, pts=self._last, time_base=TIME_BASE, duration=None)
        )
