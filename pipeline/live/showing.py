"""The source that is shown: how another one takes its place once it is open, and what can be read of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from model.errors import SinkError
from model.memory import give_back_memory
from pipeline.metrics.run import MetricsSnapshot, Span
from pipeline.sinks.latest import LatestSink
from pipeline.stability.pair_score import Scores

if TYPE_CHECKING:
    from pipeline.live.playing.playback import Playback
    from pipeline.live.run import LiveRun


_PATIENCE = 2.0  # seconds that a source has to end before the next one is opened without it
_POLL = 0.05  # seconds


class Part(Protocol):
    """A part of a session with threads of its own."""

    @property
    def alive(self) -> tuple[str, ...]:
        """The names of those that run."""

    def end(self) -> None:
        """Begin to end them; returns at once."""

    def join(self, timeout: float) -> bool:
        """Wait for their end, at most `timeout` seconds; whether it has come."""


class ActiveRun:
    """Holds the present run, and the one that is to take its place. One thread calls `replace`, `settle`
    and `clear`; any other may call the rest."""

    def __init__(self, closing: threading.Event) -> None:
        """closing: once it is set nothing is waited for any more, and what is started ends at once."""
        self._closing = closing
        self._ending: tuple[LiveRun, ...] = ()
        self._coming: LiveRun | None = None
        self.run: LiveRun | None = None
        """The active run, until it is replaced: it may have ended by itself."""

    def replace(self, run: LiveRun) -> None:
        """Start a run that takes the place of the present one when its source is open, see `settle`.

        The present one goes on until then, and for good where that fails, unless the two cannot be open at a
        time.
        """
        self._end_coming()
        if self.run is not None and not run.may_open_beside(self.run):
            self._end_present()
        self._coming = run
        run.start()
        if self._closing.is_set():  # `end` may have come too early for it
            run.end()

    def settle(self, prepare: Callable[[LiveRun], None]) -> None:
        """Replace the present run by the coming one once its source is open; drop one that cannot be opened.

        prepare: gets it before its first frame is read
        """
        run = self._coming
        if run is None:
            return
        if run.over:
            self._end_coming()
            if self.run is not None:
                self.run.tell_opened()
        elif run.ready:
            self._end_present()
            prepare(run)
            self.run, self._coming = run, None
            run.admit()

    def clear(self) -> None:
        """End the present run, and the one that is coming; one that does not end in time is left to end by
        itself."""
        self._end_coming()
        self._end_present()

    def _end_coming(self) -> None:
        run, self._coming = self._coming, None
        self._end(run)

    def _end_present(self) -> None:
        run, self.run = self.run, None
        self._end(run)

    def _end(self, run: LiveRun | None) -> None:
        if run is None:
            return
        self._ending = (*self._ending, run)
        run.end()
        deadline = monotonic() + _PATIENCE
        while not run.join(_POLL) and monotonic() < deadline and not self._closing.is_set():
            pass
        self._ending = tuple(one for one in self._ending if one.alive)
        give_back_memory()
        if not self._closing.is_set():
            run.tell_closed()

    def end(self) -> None:
        """Make every run end; returns at once."""
        for run in self._all():
            run.end()

    def join(self, timeout: float) -> bool:
        """Wait until all have ended, at most `timeout` seconds; whether they have."""
        deadline = monotonic() + timeout
        for run in self._all():
            run.join(deadline - monotonic())
        return not self.alive

    @property
    def alive(self) -> tuple[str, ...]:
        """The names of the threads that have not ended."""
        return tuple(name for run in self._all() for name in run.alive)

    def _all(self) -> tuple[LiveRun, ...]:
        runs = (*self._ending, self._coming, self.run)
        return tuple(dict.fromkeys(run for run in runs if run is not None))


def require_run(run: LiveRun | None) -> LiveRun:
    """Return the run, or raise SinkError without one."""
    if run is None:
        raise SinkError("nothing is shown; open a camera, a file or an address first")
    return run


class RunView:
    """Read-only view of the active run, at this moment."""

    def __init__(self, active: ActiveRun) -> None:
        self._active = active
        self._nothing = LatestSink()

    @property
    def latest(self) -> LatestSink:
        """The sink of the present source's results; an empty one without a source."""
        run = self._active.run
        return self._nothing if run is None else run.latest

    @property
    def playback(self) -> Playback | None:
        """Plays and pauses the present source; None for what cannot be played."""
        run = self._active.run
        return None if run is None else run.playback

    @property
    def metrics(self) -> MetricsSnapshot | None:
        """The present source's measurements so far."""
        run = self._active.run
        return None if run is None else run.metrics.snapshot()

    @property
    def spans(self) -> tuple[Span, ...]:
        """The present source's newest spans."""
        run = self._active.run
        return () if run is None else run.spans.snapshot()

    @property
    def recording(self) -> bool:
        """True while frames are written to files."""
        run = self._active.run
        return run is not None and run.recording

    @property
    def hidden_reason(self) -> str:
        """A message about why the whole frame is hidden for privacy; "" when it is not."""
        run = self._active.run
        return "" if run is None else run.painter.hidden_reason

    @property
    def scores(self) -> Scores | None:
        """The running scores of both sides of a comparison; None before they were measured."""
        run = self._active.run
        return None if run is None else run.scorer.scores

    @property
    def scores_problem(self) -> str:
        """A message about why they cannot be measured; "" when they can."""
        run = self._active.run
        return "" if run is None else run.scorer.problem

    def seconds_of(self, track: int) -> float | None:
        """Return the seconds for which a track of the present source was seen; None for an unknown track."""
        run = self._active.run
        return None if run is None else run.painter.tracks.seconds(track)
