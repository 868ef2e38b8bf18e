"""Weights of the catalogue, downloaded during a live session."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic

from pipeline.live.events import Event, Progress, Saved

_TICK = 0.1  # seconds between two events
_MEGABYTE = 1e6


class Cancelled(Exception):  # noqa: N818  (it was asked for)
    """The download was cancelled."""


def download(name: str, emit: Callable[[Event], None], cancelled: threading.Event) -> None:
    """Fetch the weights of that name, telling how far it has come; what is there already is not fetched.

    Raises ConfigError on an unknown name, DownloadError, and Cancelled once the event is set: what has
    arrived is kept for the next time then.
    """
    from model.checkpoints.catalog import find_entry
    from model.checkpoints.download import download_weights

    entry = find_entry(name)
    path = download_weights(entry, progress=_ProgressNotifier(name, emit, cancelled))
    size = path.stat().st_size / _MEGABYTE
    emit(Saved("download", (path,), f"{name}, {size:.1f} MB; licence: {entry.licence}"))


class _ProgressNotifier:
    """Turns bytes into events, not too many of them."""

    def __init__(self, name: str, emit: Callable[[Event], None], cancelled: threading.Event) -> None:
        self._name = name
        self._emit = emit
        self._cancelled = cancelled
        self._next = 0.0

    def __call__(self, done: int, total: int | None) -> None:
        if self._cancelled.is_set():
            raise Cancelled(self._name)
        now = monotonic()
        if now < self._next and done != total:
            return
        self._next = now + _TICK
        of_all = f" of {total / _MEGABYTE:.1f}" if total else ""
        fraction = min(done / total, 1.0) if total else None
        self._emit(Progress("download", fraction, f"{self._name}: {done / _MEGABYTE:.1f}{of_all} MB"))
