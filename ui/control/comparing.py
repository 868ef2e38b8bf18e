"""What the user compares, and where the line between both sides stands."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import QObject, pyqtSignal

from pipeline.live.network.comparison import TOPIC
from pipeline.settings import ComparisonSettings, DisplaySettings
from ui.control.compare_words import PRIVATE
from ui.control.notices import Level

if TYPE_CHECKING:
    from ui.control.controller import Controller

STEP = 0.05  # of the picture's width, that a key moves the line by


class Comparer(QObject):
    """Hands on to the session what is chosen. It is not kept from one start to the next."""

    changed = pyqtSignal(ComparisonSettings)

    def __init__(self, controller: Controller) -> None:
        super().__init__(controller)
        self._controller = controller
        self._settings = ComparisonSettings()
        self._at = 0.5
        self._private = controller.display.privacy
        controller.display_changed.connect(self._on_display)

    @property
    def settings(self) -> ComparisonSettings:
        """What is to be compared."""
        return self._settings

    @property
    def at(self) -> float:
        """Where the line stands, 0..1 of the picture's width."""
        return self._at

    @property
    def shown(self) -> bool:
        """Whether the picture that is shown has two sides."""
        result = self._controller.result
        return result is not None and result.other is not None

    def change(self, **changes: Any) -> None:
        """Change fields of `ComparisonSettings`; nothing happens when they are so already."""
        settings = dataclasses.replace(self._settings, **changes)
        if settings == self._settings:
            return
        begins = settings.on and not self._settings.on
        self._settings = settings
        self._controller.session.compare(settings)
        self._controller.settled.emit(TOPIC)
        if begins and self._private:
            self._controller.tell(Level.INFO, PRIVATE, topic=TOPIC)
        self.changed.emit(settings)

    def _on_display(self, display: DisplaySettings) -> None:
        if display.privacy == self._private:
            return
        self._private = display.privacy
        if self._private and self._settings.on:
            self._controller.tell(Level.INFO, PRIVATE, topic=TOPIC)
        else:
            self._controller.settled.emit(TOPIC)

    def toggle(self) -> None:
        """Begin to compare, or end it."""
        self.change(on=not self._settings.on)

    def put(self, at: float) -> None:
        """Put the line there, as far as the picture goes."""
        at = min(max(at, 0.0), 1.0)
        if at != self._at:
            self._at = at
            self._controller.session.split(at)

    def move(self, steps: int) -> None:
        """Move it by so many steps to the right; negative: to the left."""
        self.put(round(self._at / STEP + steps) * STEP)
