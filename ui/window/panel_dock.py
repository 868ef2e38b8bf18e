"""The docks of panels, their title bars, and the loading of panels."""

from __future__ import annotations

import threading
from importlib import import_module

from PyQt6.QtCore import QEvent, QObject, QSize, Qt, QTimer
from PyQt6.QtGui import QAction, QKeySequence
from PyQt6.QtWidgets import (
    QAbstractScrollArea,
    QApplication,
    QDockWidget,
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from ui.control.bridge import Bridge
from ui.control.controller import Controller
from ui.control.notices import Level
from ui.panels import PANELS, PanelSpec
from ui.window.icons import icon
from ui.window.keyboard import is_kept

QUIET = 1000  # milliseconds to wait after a network was loaded, with nothing else to load
_IMPORTED_LATE = ("ui.panels.waterfall",)  # by a panel when it is first shown
_TITLE_ICON = QSize(12, 12)


class PanelDock(QDockWidget):
    """The dock of one panel, which is made when the dock is visible for the first time.

    A panel behind the tab of another one is hidden: Qt only moves its dock out of sight, where it could still
    get the keyboard focus.
    """

    def __init__(self, name: str, spec: PanelSpec, controller: Controller, parent: QWidget) -> None:
        super().__init__(spec.title, parent)
        self.setObjectName(f"panel_{name}")  # identifies the dock in a stored layout
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
        """True while the panel is visible: shown, and not behind the tab of another one."""
        return self._in_front

    def bring(self) -> None:
        """Show the panel in front of others, with the keyboard focus."""
        self.show()
        self.raise_()
        self._load()
        self._on_visible(True)  # Qt emits the signal later
        if self.panel is not None:
            self.panel.setFocus()

    def end(self) -> None:
        """Close the panel when the window closes, so that it ends its work."""
        if self.panel is not None:
            self.panel.close()

    def event(self, event: QEvent | None) -> bool:
        """Leave keys to the panel's widgets; a floating panel is a window of its own."""
        return self._keeps(event) or super().event(event)

    def _keeps(self, event: QEvent | None) -> bool:
        window = self.window()
        return window is not None and is_kept(event, window.focusWidget())

    def _make_action(self) -> QAction:
        """Return the action that is checked while the panel is in front."""
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
                    focus.clearFocus()  # otherwise Qt moves the focus to the next widget
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
        except Exception as error:  # a broken panel must not end the window
            self._controller.notify(Level.ERROR, f"The panel {self.spec.title} cannot be shown: {error!r}")
            return
        placeholder = self.widget()
        self.setWidget(_scrolled(self.panel))
        self._show_content(self._in_front)
        if placeholder is not None:
            placeholder.deleteLater()


def _keep_room(widget: QWidget) -> None:
    """Keep the room of a hidden widget, so that the column has the same width with every tab."""
    policy = widget.sizePolicy()
    policy.setRetainSizeWhenHidden(True)
    widget.setSizePolicy(policy)


def _scrolled(panel: QWidget) -> QWidget:
    """Return the panel in a scroll area unless it scrolls itself, so that it does not shrink the picture."""
    if isinstance(panel, QAbstractScrollArea):
        return panel
    area = QScrollArea()
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setWidgetResizable(True)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setWidget(panel)
    return area


class DockTitle(QWidget):
    """Title bar of a dock, dragged and double-clicked like Qt's own."""

    def __init__(self, dock: QDockWidget) -> None:
        super().__init__(dock)
        title = QLabel(dock.windowTitle())
        title.setTextFormat(Qt.TextFormat.PlainText)
        title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        name = dock.windowTitle()
        self._buttons = {
            "float": _title_button(f"Float the panel {name}, or dock it again"),
            "close": _title_button(f"Close the panel {name}"),
        }
        self._buttons["float"].clicked.connect(lambda: dock.setFloating(not dock.isFloating()))
        self._buttons["close"].clicked.connect(dock.close)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 3, 3, 3)
        layout.setSpacing(2)
        layout.addWidget(title, 1)
        for button in self._buttons.values():
            layout.addWidget(button)
        self._apply_palette()

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802
        """Paint the icons anew after a change between light and dark."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.PaletteChange:
            self._apply_palette()

    def _apply_palette(self) -> None:
        for name, button in self._buttons.items():
            button.setIcon(icon(name, self.palette()))


def _title_button(name: str) -> QToolButton:
    button = QToolButton()
    button.setAccessibleName(name)
    button.setToolTip(name)
    button.setAutoRaise(True)
    button.setIconSize(_TITLE_ICON)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button


class PanelPreloader(QObject):
    """Import the modules of all panels once, in a thread of its own, when the first network is in use.

    So a panel opens at once the first time. No widget is made. A module that cannot be imported is reported
    when its panel is opened.
    """

    def __init__(self, bridge: Bridge, parent: QObject) -> None:
        super().__init__(parent)
        self.loader: threading.Thread | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(QUIET)
        self._timer.timeout.connect(self._begin)
        bridge.loaded.connect(self._on_loaded)

    @property
    def waits(self) -> bool:
        """True while the import is about to start."""
        return self._timer.isActive()

    def _on_loaded(self) -> None:
        if self.loader is None:
            self._timer.start()

    def _begin(self) -> None:
        # a daemon: closing the window does not wait for it
        self.loader = threading.Thread(target=_import_panels, name="livemask-ahead", daemon=True)
        self.loader.start()


def _import_panels() -> None:
    for module in (*(spec.target.partition(":")[0] for spec in PANELS.values()), *_IMPORTED_LATE):
        try:
            import_module(module)
        except Exception:  # reported when the panel is opened
            continue
