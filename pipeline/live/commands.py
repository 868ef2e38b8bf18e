"""A thread that runs commands, so that the caller never waits."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

Command = Callable[[], None]

MOST_WAITING = 32


@dataclass(frozen=True)
class _Waiting:
    topic: str
    command: Command


class CommandThread:
    """Runs commands one after another, in the order in which they came. Any thread may give them.

    The thread starts with the first command. It is a daemon, so that a command that never returns cannot keep
    the program from ending.
    """

    def __init__(self, name: str, on_error: Callable[[str, Exception], None]) -> None:
        """on_error: gets the topic and the error of a command that raised; the thread goes on."""
        self._name = name
        self._on_error = on_error
        self._changed = threading.Condition()  # guards all that follows
        self._waiting: deque[_Waiting] = deque()
        self._ended = False
        self._thread: threading.Thread | None = None

    def put(self, topic: str, command: Command, replaces: bool = True) -> bool:
        """Queue a command; `replaces`: in the place of the waiting one of its topic.

        False when it was refused, because the thread has ended or, unless it is one that replaces others,
        because too many wait.
        """
        with self._changed:
            if replaces and (place := self._place_of(topic)) is not None:
                self._waiting[place] = _Waiting(topic, command)
                return True
            if self._ended or (not replaces and len(self._waiting) >= MOST_WAITING):
                return False
            self._waiting.append(_Waiting(topic, command))
            self._start()
            self._changed.notify_all()
            return True

    def end(self) -> None:
        """Drop waiting commands, and end once the running one has returned. `join` waits for that."""
        with self._changed:
            self._ended = True
            self._waiting.clear()
            self._changed.notify_all()

    def join(self, timeout: float) -> bool:
        """Wait for the end, at most `timeout` seconds; whether it has come."""
        if self._thread is not None:
            self._thread.join(max(timeout, 0.0))
        return not self.alive

    @property
    def alive(self) -> tuple[str, ...]:
        """The thread's name while it runs."""
        running = self._thread is not None and self._thread.is_alive()
        return (self._name,) if running else ()

    def _place_of(self, topic: str) -> int | None:
        return next((place for place, one in enumerate(self._waiting) if one.topic == topic), None)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while (next_one := self._next()) is not None:
            try:
                next_one.command()
            except Exception as error:
                self._on_error(next_one.topic, error)

    def _next(self) -> _Waiting | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            return self._waiting.popleft() if self._waiting else None
