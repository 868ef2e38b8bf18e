"""Whether a live source still gives pictures: how old the shown one is, and the words for it."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject

from pipeline.live.events import Closed, Lost, Opened, Regained
from ui.control.source_names import name_of

if TYPE_CHECKING:
    from ui.control.controller import Controller

SILENCE = 1.5  # seconds without a new picture, after which a live source is not called live any more


class Liveness(QObject):
    """Follows one source after another. The view tells what it paints, and looks at every tick.

    Of a source that is played, which may be paused for as long as somebody likes, it has nothing to say.
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__(controller)
        self._controller = controller
        self._lost = False
        self._painted_at: float | None = None
        self._captured_at = 0.0
        bridge = controller.bridge
        bridge.lost.connect(self._on_lost)
        bridge.regained.connect(self._on_regained)
        bridge.opened.connect(self._on_opened)
        bridge.closed.connect(self._on_closed)

    @property
    def lost(self) -> bool:
        """Whether the source is gone, and is tried again."""
        return self._lost

    def painted(self, now: float, captured_at: float) -> None:
        """A new picture is seen from now on, `time.monotonic()`."""
        self._painted_at, self._captured_at = now, captured_at
        self._controller.shown_age = now - captured_at

    def forget(self) -> None:
        """No picture is seen."""
        self._painted_at = None
        self._controller.shown_age = 0.0

    def look(self, now: float) -> None:
        """Let the age of the picture grow with the clock while no new one comes."""
        if self._silence(now):
            self._controller.shown_age = now - self._captured_at

    def state(self) -> str:
        """What a live source does, in a word or two, for the status bar."""
        silence = self._silence(monotonic())
        if self._lost:
            return "Lost, trying again"
        return f"No picture for {silence:.0f} s" if silence else "Live"

    def words(self, now: float) -> str:
        """What stands over the picture of a source that gives none any more; "" while it does."""
        silence = self._silence(now)
        age = f": this picture is {now - self._captured_at:.0f} s old" if silence else ""
        if self._lost:
            return f"Lost, trying again{age}"
        return f"No new picture{age}" if silence else ""

    def _silence(self, now: float) -> float:
        """Seconds since the last picture, where another one is overdue; 0 where none is."""
        opened = self._controller.opened
        if opened is None or opened.playable or self._painted_at is None:
            return 0.0
        passed = now - self._painted_at
        return passed if passed > SILENCE else 0.0

    def _on_lost(self, event: Lost) -> None:
        self._lost = self._is_shown(event.name)

    def _on_regained(self, event: Regained) -> None:
        if self._is_shown(event.name):
            self._lost = False

    def _on_opened(self, event: Opened) -> None:
        self._lost = False

    def _on_closed(self, event: Closed) -> None:
        if self._controller.opened is None or self._is_shown(event.name):
            self._lost = False

    def _is_shown(self, name: str) -> bool:
        return name == name_of(self._controller.opened)
