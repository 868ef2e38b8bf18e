"""A button that returns to a working network after one could not be loaded."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from PyQt6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from model.checkpoints.catalog import DEFAULT_WEIGHTS
from pipeline.live.events import Failed, Loaded
from pipeline.settings import DetectionSettings
from ui.control.controller import Controller
from ui.panels.widgets import WrappedLabel

LOADING = "network"  # the task of a `Failed` when loading
USE_LOADED, USE_DEFAULT = "Use the network in use", "Use the default"
_KEPT = frozenset({"score_threshold", "max_detections", "nms"})  # valid for any network


class Fallback(QWidget):
    """Name the network in use if it is not the chosen one, and offer to choose it.

    Otherwise the network that failed would be loaded again at every start.
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self._controller = controller
        self._failed = (
            True  # failures before this widget was made are unknown; without a difference it stays hidden
        )
        self.words = WrappedLabel(name="The network that is in use instead")
        self.back = QPushButton(USE_DEFAULT)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.words)
        column.addWidget(self.back)
        self.back.clicked.connect(self._go_back)
        controller.detection_changed.connect(self._on_choice)
        controller.bridge.loading.connect(self._on_news)
        controller.bridge.loaded.connect(self._on_news)
        controller.bridge.failed.connect(self._on_failed)
        self._put()
        if not self._changes():  # without a parent, showing it would open a window
            self.hide()

    def _on_failed(self, event: Failed) -> None:
        if event.task == LOADING:
            self._failed = True
            self._offer()

    def _on_choice(self) -> None:
        self._failed = self._failed and bool(self._changes())
        self._offer()

    def _on_news(self) -> None:
        self._failed = False
        self._offer()

    def _offer(self) -> None:
        self._put()
        self.setVisible(self._failed and bool(self._changes()))

    def _put(self) -> None:
        loaded = self._controller.loaded
        self.words.show_text(fallback_text(loaded))
        self.back.setText(USE_DEFAULT if loaded is None else USE_LOADED)

    def _changes(self) -> dict[str, Any]:
        """Return the settings to change in order to return to the network in use."""
        loaded, chosen = self._controller.loaded, self._controller.detection
        target = DetectionSettings() if loaded is None else loaded.settings
        if loaded is not None and not chosen.needs_reload(target):
            return {}
        names = {field.name for field in fields(target)} - _KEPT
        if chosen.weights == target.weights and loaded is not None:
            names.discard("classes")  # these weights know the chosen classes
        return {
            name: getattr(target, name) for name in names if getattr(target, name) != getattr(chosen, name)
        }

    def _go_back(self) -> None:
        self._controller.set_detection(**self._changes())


def fallback_text(loaded: Loaded | None) -> str:
    """Return a text that names the network in use."""
    if loaded is None:
        return (
            f"The chosen network is not in use, and there is no other one. The default is {DEFAULT_WEIGHTS}."
        )
    return f"The chosen network is not in use; {loaded.weights.name} still is."
