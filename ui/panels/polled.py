"""Base class of panels that are refreshed regularly while they are visible."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QSize, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QHideEvent, QShowEvent
from PyQt6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from pipeline.live.events import Loaded
from ui.control.controller import Controller


class PolledPanel(QScrollArea):
    """Emit `due` when the panel is shown, and then every `interval` milliseconds until it is hidden.

    Slots must be fast: they run in the thread that paints the picture.

    It is a scroll area, though its content does the scrolling, so that a dock does not put it into another
    one.
    """

    due = pyqtSignal()
    interval = 250

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.controller = controller
        self.timer = QTimer(self)
        self.timer.setInterval(self.interval)
        self.timer.timeout.connect(self.due)

    def put(self, content: QWidget) -> None:
        """Set the content of the panel."""
        self._content = content
        column = QVBoxLayout(self.viewport())
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(content)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return that of the content."""
        return self._content.minimumSizeHint()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return that of the content."""
        return self._content.sizeHint()

    def begin(self) -> None:
        """Called when the panel becomes visible, before the first `due`."""

    def end(self) -> None:
        """Called when the panel is hidden."""

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Start the timer unless it runs already: a restored window is shown once more."""
        super().showEvent(event)
        if not self.timer.isActive():
            self.timer.start()
            self.begin()
            self.due.emit()

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """Stop the timer."""
        super().hideEvent(event)
        if self.timer.isActive():
            self.timer.stop()
            self.end()


class InspectingPanel(PolledPanel):
    """A panel of what a network computes on the way to its detections.

    Results carry it while the panel is visible and the network in use computes it, and only then.

    fits: returns True if the network in use, None without one, computes what the panel shows
    """

    def __init__(
        self, controller: Controller, fits: Callable[[Loaded | None], bool], parent: QWidget | None = None
    ) -> None:
        super().__init__(controller, parent)
        self.fits = fits
        self._asks = False
        controller.bridge.loaded.connect(self._ask)

    def begin(self) -> None:
        """Request what is shown, which comes with the next frame."""
        self._ask()

    def end(self) -> None:
        """Request it no more."""
        self._ask()

    def _ask(self) -> None:
        wanted = self.timer.isActive() and self.fits(self.controller.loaded)
        if wanted != self._asks:
            self._asks = wanted
            self.controller.inspect(wanted)
