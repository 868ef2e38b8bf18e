"""Modules of panels are loaded before somebody wants to see the panels."""

from __future__ import annotations

import threading
from importlib import import_module

from PyQt6.QtCore import QObject, QTimer

from ui.control.bridge import Bridge
from ui.panels import PANELS

QUIET = 1000  # milliseconds after a network came into use, when nothing else is being loaded
_SLOW = ("ui.panels.waterfall",)  # which a panel itself loads as late as it can


class Ahead(QObject):
    """Loads them in a thread of its own, once, when the first network is at work.

    So a panel is there at once when it is opened for the first time; the picture goes on meanwhile. Only
    modules are loaded, and no widget is made. What cannot be loaded is told when its panel is opened.
    """

    def __init__(self, bridge: Bridge, parent: QObject) -> None:
        super().__init__(parent)
        self.thread_of_it: threading.Thread | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(QUIET)
        self._timer.timeout.connect(self._begin)
        bridge.loaded.connect(self._on_loaded)

    @property
    def waits(self) -> bool:
        """Whether it is about to begin."""
        return self._timer.isActive()

    def _on_loaded(self) -> None:
        if self.thread_of_it is None:
            self._timer.start()

    def _begin(self) -> None:
        # a daemon: whoever closes the window does not wait for it
        self.thread_of_it = threading.Thread(target=_load, name="livemask-ahead", daemon=True)
        self.thread_of_it.start()


def _load() -> None:
    for module in (*(spec.target.partition(":")[0] for spec in PANELS.values()), *_SLOW):
        try:
            import_module(module)
        except Exception:  # the panel's dock tells of it, to whoever opens it
            continue
