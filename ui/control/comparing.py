"""Settings of a comparison, and the position of the line between its two sides."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

from PyQt6.QtCore import QObject, pyqtSignal

from pipeline.settings import ComparisonSettings

STEP = 0.05  # of the picture's width, by which a key moves the line


class ComparingSession(Protocol):
    """The methods of a session that compare two settings."""

    def compare(self, settings: ComparisonSettings) -> None:
        """Use these settings from now on."""

    def split(self, at: float) -> None:
        """Put the line at 0..1 of the picture's width."""


class Comparer(QObject):
    """Hold the settings of a comparison and pass them on to the session. They are not saved to disk."""

    changed = pyqtSignal(ComparisonSettings)

    def __init__(self, session: ComparingSession, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._settings = ComparisonSettings()
        self._at = 0.5

    @property
    def settings(self) -> ComparisonSettings:
        """The current settings."""
        return self._settings

    @property
    def at(self) -> float:
        """The position of the line, 0..1 of the picture's width."""
        return self._at

    def change(self, **changes: Any) -> None:
        """Change fields of `ComparisonSettings`; do nothing when they have these values already."""
        settings = dataclasses.replace(self._settings, **changes)
        if settings != self._settings:
            self._settings = settings
            self._session.compare(settings)
            self.changed.emit(settings)

    def toggle(self) -> None:
        """Start the comparison, or stop it."""
        self.change(on=not self._settings.on)

    def put(self, at: float) -> None:
        """Move the line to `at`, clamped to 0..1 of the picture's width."""
        at = min(max(at, 0.0), 1.0)
        if at != self._at:
            self._at = at
            self._session.split(at)

    def move(self, steps: int) -> None:
        """Move the line by a number of steps, to the right if positive."""
        self.put(round(self._at / STEP + steps) * STEP)
