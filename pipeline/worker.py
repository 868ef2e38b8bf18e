"""Threads that end together: the first error is kept, and all others are told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic


def _nothing() -> None:
    """Do nothing: the error handler once all threads have ended."""


class WorkerGroup:
    """The threads of one run. Started once, joined by the thread that started it."""

    def __init__(self, name: str, on_error: Callable[[], None]) -> None:
        """on_error: called once, from the thread that failed first; it has to make the others end."""
        self._name = name
        self._on_error = on_error
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._error: BaseException | None = None

    @property
    def error(self) -> BaseException | None:
        """The first error of any thread."""
        return self._error

    def start(self, **jobs: Callable[[], None]) -> None:
        """One thread for each job, named after it."""
        for name, job in jobs.items():
            # daemons, so that a driver that never returns cannot keep the whole program from ending
            thread = threading.Thread(
                target=self._work, args=(job,), name=f"{self._name} {name}", daemon=True
            )
            self._threads.append(thread)
        for thread in self._threads:
            thread.start()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for all threads, at most `timeout` seconds; whether all have ended."""
        deadline = None if timeout is None else monotonic() + timeout
        for thread in self._threads:
            thread.join(None if deadline is None else max(deadline - monotonic(), 0))
        if self.alive:
            return False
        self._on_error = _nothing  # or the two would keep each other
        return True

    @property
    def alive(self) -> tuple[str, ...]:
        """The names of the threads that have not ended."""
        return tuple(thread.name for thread in self._threads if thread.is_alive())

    def _work(self, job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:  # whatever it is, it must reach the caller, not a thread's end
            with self._lock:
                first = self._error is None
                if first:
                    self._error = error
            if first:
                self._on_error()
