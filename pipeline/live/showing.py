"""The one source that is shown, and how another one takes its place."""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.live.run import LiveRun

_PATIENCE = 2.0  # seconds that a source has to end before the next one is opened without it
_POLL = 0.05  # seconds


class Showing:
    """Holds the present run. One thread calls `replace` and `clear`; any other may call the rest."""

    def __init__(self, closing: threading.Event) -> None:
        """closing: once it is set nothing is waited for any more, and what is started ends at once."""
        self._closing = closing
        self._ending: tuple[LiveRun, ...] = ()
        self.run: LiveRun | None = None
        """What is shown, until it is replaced: it may have ended by itself."""

    def replace(self, run: LiveRun) -> None:
        """Start a run in the place of the present one."""
        self.clear()
        self.run = run
        run.start()
        if self._closing.is_set():  # `end` may have come too early for it
            run.end()

    def clear(self) -> None:
        """End the present run; one that does not end in time is left to end by itself."""
        run, self.run = self.run, None
        if run is None:
            return
        self._ending = (*self._ending, run)
        run.end()
        deadline = monotonic() + _PATIENCE
        while not run.join(_POLL) and monotonic() < deadline and not self._closing.is_set():
            pass
        self._ending = tuple(one for one in self._ending if one.alive)
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
        run, ending = self.run, self._ending
        return ending if run is None or run in ending else (*ending, run)
