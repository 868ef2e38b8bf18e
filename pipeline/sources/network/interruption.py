"""Letting one thread end what another one waits for inside FFmpeg."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import av.container.core


class _Clock:
    """Stands in for the module `time` inside PyAV's `av.container.core`.

    While FFmpeg waits for the network it asks PyAV about ten times a second whether to give up, on the thread
    that waits, and PyAV answers by comparing `time.monotonic()` with the end of its time-out. PyAV 18 has no
    other way in. So the clock of a thread that was interrupted shows the end of time; for everyone else it is
    the usual one.
    """

    def __init__(self) -> None:
        self._thread = threading.local()

    def monotonic(self) -> float:
        """The time as PyAV is to see it on the calling thread."""
        interrupted: threading.Event | None = getattr(self._thread, "interrupted", None)
        return math.inf if interrupted is not None and interrupted.is_set() else time.monotonic()

    @contextmanager
    def watching(self, interrupted: threading.Event) -> Iterator[None]:
        """On the calling thread time is over once the event is set."""
        self._thread.interrupted = interrupted
        try:
            yield
        finally:
            del self._thread.interrupted


_CLOCK = _Clock()


@contextmanager
def interruptible(interrupted: threading.Event) -> Iterator[None]:
    """Within the context setting the event ends, within a fraction of a second, what PyAV waits for.

    The wait ends in an av.FFmpegError. Only containers that were opened with a time-out ask. A name server
    that does not answer is waited for by the system, where nothing can interrupt. Not for the main thread:
    Python delivers signals there, and a Ctrl-C within PyAV's question would be lost.
    """
    assert threading.current_thread() is not threading.main_thread()
    av.container.core.time = _CLOCK  # type: ignore[attr-defined]
    with _CLOCK.watching(interrupted):
        yield
