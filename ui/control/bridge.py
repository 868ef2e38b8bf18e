"""Turns the session's events, which arrive from its threads, into Qt signals in the window's thread."""

from __future__ import annotations

from PyQt6.QtCore import QObject, pyqtSignal

from pipeline.live.events import (
    Closed,
    Event,
    Failed,
    Loaded,
    Loading,
    Lost,
    Opened,
    Opening,
    Progress,
    RecordingStarted,
    Regained,
    Saved,
    Warned,
)


class Bridge(QObject):
    """Offer one signal for each kind of event. `deliver` may be called from any thread.

    Qt queues signals that other threads emit, so slots run in the window's thread. Frames do not pass here:
    the view fetches the newest one before it paints.
    """

    opening = pyqtSignal(Opening)
    opened = pyqtSignal(Opened)
    lost = pyqtSignal(Lost)
    regained = pyqtSignal(Regained)
    warned = pyqtSignal(Warned)
    closed = pyqtSignal(Closed)
    loading = pyqtSignal(Loading)
    loaded = pyqtSignal(Loaded)
    progress = pyqtSignal(Progress)
    recording = pyqtSignal(RecordingStarted)
    saved = pyqtSignal(Saved)
    failed = pyqtSignal(Failed)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._signals = {
            Opening: self.opening,
            Opened: self.opened,
            Lost: self.lost,
            Regained: self.regained,
            Warned: self.warned,
            Closed: self.closed,
            Loading: self.loading,
            Loaded: self.loaded,
            Progress: self.progress,
            RecordingStarted: self.recording,
            Saved: self.saved,
            Failed: self.failed,
        }

    def deliver(self, event: Event) -> None:
        """Emit the signal of this event and return at once."""
        self._signals[type(event)].emit(event)
