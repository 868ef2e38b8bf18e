"""A bounded queue between two threads: its writer says, put by put, what happens when there is no room."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class QueueClosed(Exception):  # noqa: N818  (an end, not an error)
    """Raised once nothing is put into the queue any more, or nothing is taken from it."""


class FrameQueue(Generic[T]):
    """A first-in, first-out queue. Its two ends tell each other that they are done by closing it."""

    def __init__(self, name: str, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"expected room for at least one item, got {capacity}")
        self.name = name
        self.capacity = capacity
        self._items: deque[T] = deque()
        self._closed = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        """Append an item once there is room: nothing is lost. Raises QueueClosed when closed meanwhile."""
        with self._changed:
            while len(self._items) >= self.capacity and not self._closed:
                self._changed.wait()
            self._refuse_if_closed()
            self._append(item)

    def put_newest(self, item: T) -> int:
        """Replace all waiting items by this one, without waiting: the reader gets the newest one.

        Returns how many were dropped for it. Raises QueueClosed when closed.
        """
        with self._changed:
            self._refuse_if_closed()
            dropped = len(self._items)
            self._items.clear()
            self._append(item)
            return dropped

    def get(self) -> T:
        """Take the oldest item; waits for one. Raises QueueClosed once it is closed and empty."""
        with self._changed:
            while not self._items and not self._closed:
                self._changed.wait()
            return self._take()

    def get_if(self, accept: Callable[[T], bool]) -> T | None:
        """Take the oldest item if `accept` says so, else leave it there and return None; waits for one.

        Raises QueueClosed once it is closed and empty.
        """
        with self._changed:
            while not self._items and not self._closed:
                self._changed.wait()
            if self._items and not accept(self._items[0]):
                return None
            return self._take()

    def close(self) -> None:
        """Close the queue for new items; those in it can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abort(self) -> None:
        """Close, and drop all items: both ends stop waiting at once."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise QueueClosed(self.name)

    def _append(self, item: T) -> None:
        self._items.append(item)
        self._changed.notify_all()

    def _take(self) -> T:
        if not self._items:
            raise QueueClosed(self.name)
        item = self._items.popleft()
        self._changed.notify_all()
        return item
