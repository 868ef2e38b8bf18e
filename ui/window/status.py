"""The status bar: source, network, rate and state."""

from __future__ import annotations

from pathlib import PurePath
from time import monotonic

from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtWidgets import QLabel, QProgressBar, QStatusBar, QWidget

from pipeline.live.events import Failed, Loaded, Loading, Opening
from ui.control.controller import Controller
from ui.control.times import elapsed, rate

_LOOK = 250  # milliseconds


class StatusBar(QStatusBar):
    """Show the current state, refreshed four times a second and on the session's events."""

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._network = "No network yet"
        self._opening = ""
        self.setSizeGripEnabled(False)
        self.source = self._label("Source", stretch=2)
        self.network = self._label("Network", stretch=2)
        self.busy = QProgressBar()
        self.busy.setAccessibleName("A network is being loaded")
        self.busy.setRange(0, 0)  # indeterminate
        self.busy.setFixedSize(90, 10)
        self.busy.setTextVisible(False)
        self.busy.hide()
        self.addWidget(self.busy)
        self.recording = self._label("Recording")
        self.state = self._label("State")
        self.rate = self._label("Displayed frames per second")
        self._connect()
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK)
        self._timer.timeout.connect(self.refresh)
        self._timer.start()
        self.refresh()

    def refresh(self) -> None:
        """Show the current state."""
        opened = self._controller.opened
        if self._opening:
            source = f"Opening {self._opening} …"
        elif opened is None:
            source = "No source"
        else:
            source = f"{self._controller.title}   {opened.info.width} × {opened.info.height}"
        _set(self.source, source)
        self.source.setToolTip(opened.info.name if opened is not None else "Source")
        _set(self.network, self._network)
        _set(self.rate, rate(self._controller.display_fps))
        _set(self.state, " · ".join(self._states()))
        self._show_recording()

    def _show_recording(self) -> None:
        records = self._controller.session.recording
        if records:
            _set(self.recording, f"● Recording {elapsed(monotonic() - self._controller.recording_since)}")
        self.recording.setVisible(records)

    def _states(self) -> list[str]:
        opened, session = self._controller.opened, self._controller.session
        playback = session.playback if opened is not None else None
        states = []
        if playback is not None:
            states.append("At the end" if playback.at_end else "Playing" if playback.playing else "Paused")
        elif opened is not None:
            states.append(self._controller.liveness.state())
        if self._controller.detection.stabilise != "off":
            states.append(f"Stabiliser {self._controller.detection.stabilise}")
        if self._controller.shows_two_sides:
            states.append("Comparing")
        if self._controller.display.privacy:
            states.append("Privacy on")
        return states

    def _connect(self) -> None:
        bridge = self._controller.bridge
        bridge.opening.connect(self._on_opening)
        bridge.opened.connect(self._on_arrived)
        bridge.closed.connect(self._on_arrived)
        bridge.loading.connect(self._on_loading)
        bridge.loaded.connect(self._on_loaded)
        bridge.failed.connect(self._on_failed)

    def _on_opening(self, event: Opening) -> None:
        self._opening = event.name
        self.refresh()

    def _on_arrived(self) -> None:
        self._opening = ""
        self.refresh()

    def _on_loading(self, event: Loading) -> None:
        self.busy.show()
        self._network = f"Loading {PurePath(event.what).name} …"
        self.refresh()

    def _on_loaded(self, event: Loaded) -> None:
        self.busy.hide()
        self._network = _described(event)
        self.network.setToolTip(f"{event.weights}\n{event.choice}")
        self.refresh()

    def _on_failed(self, event: Failed) -> None:
        """End the display of opening or loading; a notice gives the reason."""
        if event.task == "source":
            self._opening = ""
        if event.task == "network":
            self.busy.hide()
            loaded = self._controller.loaded
            self._network = _described(loaded) if loaded else "No network"
        self.refresh()

    def _label(self, name: str, stretch: int = 0) -> QLabel:
        label = QLabel()
        label.setObjectName(name.lower())  # used by the style sheet
        label.setAccessibleName(name)
        label.setToolTip(name)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setMinimumWidth(40)
        label.setContentsMargins(6, 2, 6, 2)
        if stretch:
            self.addWidget(label, stretch)
        else:
            self.addPermanentWidget(label)
        return label


def _described(network: Loaded) -> str:
    """Return the name of a network and of its engine."""
    return f"{network.weights.stem} · {network.choice.partition(':')[0]}"


def _set(label: QLabel, text: str) -> None:
    """Set the text of a label if it differs: every change is laid out and read by screen readers."""
    if label.text() != text:
        label.setText(text)
