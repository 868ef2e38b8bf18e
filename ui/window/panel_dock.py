"""A panel's place in the window; the panel itself is made when it is seen for the first time."""

from __future__ import annotations

from importlib import import_module

from PyQt6.QtCore import QEvent, Qt, QTimer
from PyQt6.QtGui import QAction, QKeySequence
from PyQt6.QtWidgets import QAbstractScrollArea, QApplication, QDockWidget, QFrame, QScrollArea, QWidget

from ui.control.controller import Controller
from ui.control.notices import Level
from ui.panels import PanelSpec
from ui.window.dock_title import DockTitle
from ui.window.keyboard import is_kept


class PanelDock(QDockWidget):
    """So the window is there before panels are, whose libraries take their time to load.

    A panel behind the tab of another one is hidden: Qt only moves its dock out of sight, where the keyboard
    would find it all the same.
    """

    def __init__(self, name: str, spec: PanelSpec, controller: Controller, parent: QWidget) -> None:
        super().__init__(spec.title, parent)
        self.setObjectName(f"panel_{name}")  # by which Qt finds it again in a stored layout
        self.setAccessibleName(f"{spec.title} panel")
        self.spec = spec
        self._controller = controller
        self.panel: QWidget | None = None
        self._in_front = False
        self.action = self._make_action()
        self._title = DockTitle(self)
        self.setTitleBarWidget(self._title)
        self.setWidget(QWidget())
        self._show_content(False)
        self.visibilityChanged.connect(self._on_visible)

    @property
    def in_front(self) -> bool:
        """Whether it is seen: shown, and not behind the tab of another one."""
        return self._in_front

    def bring(self) -> None:
        """Show it, before all others of its place, with the keyboard."""
        self.show()
        self.raise_()
        self._load()
        self._on_visible(True)  # Qt tells of it later
        if self.panel is not None:
            self.panel.setFocus()

    def end(self) -> None:
        """The window closes, of which Qt tells it alone: let the panel end what it has begun."""
        if self.panel is not None:
            self.panel.close()

    def event(self, event: QEvent | None) -> bool:
        """Leave keys to the panel's widgets; a panel that floats is a window of its own."""
        return self._keeps(event) or super().event(event)

    def _keeps(self, event: QEvent | None) -> bool:
        window = self.window()
        return window is not None and is_kept(event, window.focusWidget())

    def _make_action(self) -> QAction:
        """Checked while the panel is in front."""
        action = QAction(self.spec.title, self)
        action.setCheckable(True)
        action.setShortcut(QKeySequence(self.spec.shortcut))
        action.setToolTip(self.spec.tip)
        action.setStatusTip(self.spec.tip)
        return action

    def _on_visible(self, visible: bool) -> None:
        self._in_front = visible
        self.action.setChecked(visible)
        self._show_content(visible)
        if visible and self.panel is None:
            QTimer.singleShot(0, self._load_if_seen)  # after the window has been painted

    def _show_content(self, wanted: bool) -> None:
        for part in (self.widget(), self._title):
            if part is not None:
                focus = QApplication.focusWidget()
                if not wanted and focus is not None and part.isAncestorOf(focus):
                    focus.clearFocus()  # or Qt would give it to whatever comes next
                _keep_room(part)
                part.setVisible(wanted)

    def _load_if_seen(self) -> None:
        if self._in_front:
            self._load()

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
        self._show_content(self._in_front)
        if placeholder is not None:
            placeholder.deleteLater()


def _keep_room(widget: QWidget) -> None:
    """Let it take its room while it is hidden: the column must not change its width with every tab."""
    policy = widget.sizePolicy()
    policy.setRetainSizeWhenHidden(True)
    widget.setSizePolicy(policy)


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
