"""The age of the picture of a live source, and texts for one that delivers no pictures any more."""

from __future__ import annotations

from time import monotonic

from PyQt6.QtCore import QObject

from pipeline.live.events import Closed, Lost, Opened, Regained
from ui.control.bridge import Bridge
from ui.control.source_names import name_of

SILENCE = 1.5  # seconds without a new picture after which a live source is not called live any more


class Liveness(QObject):
    """Watch the source that is open. The view reports each picture that it paints.

    A source that is played may be paused for any time, so it is never called silent.
    """

    def __init__(self, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._opened: Opened | None = None
        self._lost = False
        self._painted_at: float | None = None
        self._captured_at = 0.0
        bridge.lost.connect(self._on_lost)
        bridge.regained.connect(self._on_regained)
        bridge.opened.connect(self._on_opened)
        bridge.closed.connect(self._on_closed)

    @property
    def lost(self) -> bool:
        """True while the source is gone and being opened again."""
        return self._lost

    def painted(self, now: float, captured_at: float) -> None:
        """Note that a new picture was painted. Both times are `time.monotonic()`."""
        self._painted_at, self._captured_at = now, captured_at

    def forget(self) -> None:
        """Note that no picture is shown."""
        self._painted_at = None

    def age(self, now: float) -> float:
        """Return the age of the shown picture in seconds when it was painted; 0 without one.

        While the next picture is overdue the age grows with the clock.
        """
        if self._painted_at is None:
            return 0.0
        return (now if self._silence(now) else self._painted_at) - self._captured_at

    def state(self) -> str:
        """Return the state of a live source for the status bar."""
        silence = self._silence(monotonic())
        if self._lost:
            return "Lost, reconnecting"
        return f"No picture for {silence:.0f} s" if silence else "Live"

    def words(self, now: float) -> str:
        """Return the text over the picture of a source that delivers none any more; else ""."""
        silence = self._silence(now)
        age = f": this picture is {now - self._captured_at:.0f} s old" if silence else ""
        if self._lost:
            return f"Lost, reconnecting{age}"
        return f"No new picture{age}" if silence else ""

    def _silence(self, now: float) -> float:
        """Return the seconds since the last picture while the next one is overdue, else 0."""
        if self._opened is None or self._opened.playable or self._painted_at is None:
            return 0.0
        passed = now - self._painted_at
        return passed if passed > SILENCE else 0.0

    def _on_lost(self, event: Lost) -> None:
        self._lost = self._is_open(event.name)

    def _on_regained(self, event: Regained) -> None:
        if self._is_open(event.name):
            self._lost = False

    def _on_opened(self, event: Opened) -> None:
        self._opened = event
        self._lost = False

    def _on_closed(self, event: Closed) -> None:
        if self._is_open(event.name):
            self._opened = None
        if self._opened is None:
            self._lost = False

    def _is_open(self, name: str) -> bool:
        return name == name_of(self._opened)
