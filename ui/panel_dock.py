"""A panel's place in the window; the panel itself is made when it is seen for the first time."""

from __future__ import annotations

from importlib import import_module

from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtGui import QAction, QKeySequence
from PyQt6.QtWidgets import QAbstractScrollArea, QDockWidget, QFrame, QScrollArea, QWidget

from ui.controller import Controller
from ui.notices import Level
from ui.panels import PanelSpec


class PanelDock(QDockWidget):
    """So the window is there before panels are, whose libraries take their time to load."""

    def __init__(self, name: str, spec: PanelSpec, controller: Controller, parent: QWidget) -> None:
        super().__init__(spec.title, parent)
        self.setObjectName(f"panel_{name}")  # by which Qt finds it again in a stored layout
        self.setAccessibleName(f"{spec.title} panel")
        self.spec = spec
        self._controller = controller
        self.panel: QWidget | None = None
        self.setWidget(QWidget())
        self.visibilityChanged.connect(self._on_visible)

    def make_action(self) -> QAction:
        """Shows and hides it; shown, it comes to the front and has the keyboard."""
        action = self.toggleViewAction()
        assert action is not None
        action.setShortcut(QKeySequence(self.spec.shortcut))
        action.setToolTip(self.spec.tip)
        action.setStatusTip(self.spec.tip)
        action.triggered.connect(self._on_asked)
        return action

    def end(self) -> None:
        """The window closes, of which Qt tells it alone: let the panel end what it has begun."""
        if self.panel is not None:
            self.panel.close()

    def _on_asked(self, shown: bool) -> None:
        if shown:
            self.raise_()
            self._load()
            panel = self.panel
            if panel is not None:
                panel.setFocus()

    def _on_visible(self, visible: bool) -> None:
        if visible and self.panel is None:
            QTimer.singleShot(0, self._load)  # after the window has been painted

    def _load(self) -> None:
        if self.panel is not None:
            return
        module, _, name = self.spec.target.partition(":")
        try:
            self.panel = getattr(import_module(module), name)(self._controller, self)
        except Exception as error:  # a panel that is broken must not take the picture along
            self._controller.tell(Level.ERROR, f"The panel {self.spec.title} cannot be shown: {error!r}")
            return
        placeholder = self.widget()
        self.setWidget(_scrolled(self.panel))
        if placeholder is not None:
            placeholder.deleteLater()


def _scrolled(panel: QWidget) -> QWidget:
    """The panel in what scrolls it, unless it scrolls itself: a high one must not make the picture low."""
    if isinstance(panel, QAbstractScrollArea):
        return panel
    area = QScrollArea()
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setWidgetResizable(True)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setWidget(panel)
    return area
