"""The main window: the picture in the middle, panels around it, menus and tool bar."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from time import monotonic
from typing import Literal

from PyQt6.QtCore import QByteArray, QChildEvent, QEvent, Qt, QTimer
from PyQt6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QKeyEvent
from PyQt6.QtWidgets import (
    QApplication,
    QMainWindow,
    QStackedWidget,
    QTabBar,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from ui.control.controller import Controller
from ui.control.notices import ANNOTATION, Level, NoticeBar
from ui.control.notifier import Notifier
from ui.panels import PANELS
from ui.view.video_view import VideoView
from ui.window.dialogs import Dialogs
from ui.window.dropping import dropped_items, sort_dropped
from ui.window.keyboard import is_kept
from ui.window.menus import Menus
from ui.window.panel_dock import PanelDock
from ui.window.seek_bar import SeekBar
from ui.window.shortcuts import ShortcutsDialog
from ui.window.status import StatusBar
from ui.window.task_bar import TaskBar
from ui.window.theme import set_colours
from ui.window.welcome import WelcomePage

_FIRST_SIZE = (1280, 800)
_FIRST_SIDES = (("right", 384, Qt.Orientation.Horizontal), ("bottom", 320, Qt.Orientation.Vertical))
_LOOK = 250  # milliseconds between two updates of the actions' states
_CLOSING = 1.5  # seconds for threads to end; the process has to end within two
_BLINK = 150  # milliseconds to wait for the next source before the welcome page is shown
_AREAS = {
    "right": Qt.DockWidgetArea.RightDockWidgetArea,
    "bottom": Qt.DockWidgetArea.BottomDockWidgetArea,
}


class MainWindow(QMainWindow):
    """Show the controller's session and pass user input to it. Closing the window ends the session.

    save: called when the window closes, to save the settings
    """

    controller: Controller
    dialogs: Dialogs
    view: VideoView

    def __init__(
        self, controller: Controller, save: Callable[[], None] = lambda: None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.controller = controller
        self.dialogs = Dialogs(controller, self)
        self._notifier = Notifier(controller, self)
        self._save = save
        self._quits = False
        self._state_before = QByteArray()  # panels and tools, before the full screen
        self.setWindowTitle("LiveMask")
        self.setAcceptDrops(True)
        self.setDockNestingEnabled(True)
        self.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        self.resize(*_FIRST_SIZE)
        self._make_middle()
        self.status = StatusBar(controller, self)
        self.setStatusBar(self.status)
        self.menus = Menus(self, controller, lambda action: action.run(self))
        self.docks = self._make_docks()
        self._connect()
        self._arrange()
        self.menus.refresh()
        self.welcome.setFocus()

    def toggle_full_screen(self) -> None:
        """Show the picture and its playback alone, or restore everything."""
        bars = (self.menuBar(), self.statusBar(), self.menus.tools)
        if self.isFullScreen():
            self.setWindowState(self.windowState() & ~Qt.WindowState.WindowFullScreen)
            self._show(True, *bars[:2])
            self.restoreState(self._state_before)
            return
        self._state_before = self.saveState()
        self._show(False, *bars, *self.docks.values())
        self.setWindowState(self.windowState() | Qt.WindowState.WindowFullScreen)
        self.view.setFocus()

    def escape(self) -> None:
        """Leave the full screen, or deselect; then give the picture the keyboard focus."""
        result = self.controller.result
        if self.isFullScreen():
            self.toggle_full_screen()
        elif self.view.hasFocus() or (result is not None and result.selected is not None):
            self.controller.deselect()
        self.view.setFocus()

    def quit(self) -> None:
        """Close the window without asking."""
        self._quits = True
        self.close()

    def set_colours(self, colours: Literal["system", "light", "dark"]) -> None:
        """Use light or dark colours, or those of the system."""
        app = QApplication.instance()
        if isinstance(app, QApplication):
            set_colours(app, colours)
        self.controller.remember(colours=colours)
        self.menus.refresh()

    def show_shortcuts(self) -> None:
        """Show the table of shortcuts."""
        ShortcutsDialog(self).open()

    def toggle_panel(self, dock: PanelDock) -> None:
        """Show a panel in front, leaving the full screen if necessary; hide it if it is in front already."""
        if self.isFullScreen():
            self.toggle_full_screen()
            dock.bring()
        elif dock.in_front:
            dock.hide()
            self._picture().setFocus()
        else:
            dock.bring()

    def event(self, event: QEvent | None) -> bool:
        """Leave keys to the focused widget unless that is the picture; name the tab bars that Qt makes."""
        made = event.child() if isinstance(event, QChildEvent) and event.polished() else None
        if isinstance(made, QTabBar):
            made.setAccessibleName("Panels")
        return (isinstance(event, QKeyEvent) and self._keeps(event)) or super().event(event)

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:  # noqa: N802
        """Accept dragged files and addresses; they are checked when dropped."""
        if event is not None and dropped_items(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:  # noqa: N802
        """Open dropped items."""
        if event is not None:
            event.acceptProposedAction()
            self.take(dropped_items(event.mimeData()))

    def take(self, items: list[str]) -> None:
        """Open paths and addresses, sources and weights; notify the user of refused ones."""
        found = sort_dropped(items)
        if found.refused:
            self.controller.notify(Level.WARNING, "; ".join(found.refused), "\n".join(items), topic="drop")
        if found.weights:
            self.controller.set_detection(weights=found.weights)
        if found.source:
            self.controller.open(found.source)

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802
        """Save the settings and end everything within two seconds; ask first while a file is annotated."""
        if ANNOTATION in self.tasks.tasks and not self._quits:
            self.dialogs.ask_to_quit(self.quit)
            if event is not None:
                event.ignore()
            return
        if self.isFullScreen():
            self.toggle_full_screen()
        geometry, state = (bytes(part.toBase64().data()).decode() for part in (
            self.saveGeometry(), self.saveState()))  # fmt: skip
        shown = tuple(name for name, dock in self.docks.items() if not dock.isHidden())
        self.controller.remember(layout=f"{geometry} {state}", panels=shown)
        self._save()
        self.hide()
        deadline = monotonic() + _CLOSING
        for dock in self.docks.values():
            dock.end()
        self.controller.close(deadline - monotonic())
        super().closeEvent(event)

    def _make_middle(self) -> None:
        self.view = VideoView(self.controller)
        self.notices = NoticeBar()
        self.tasks = TaskBar({ANNOTATION: self.controller.cancel_annotation})
        self.seek_bar = SeekBar(self.controller)
        self.welcome = WelcomePage(self.controller, self.dialogs.open_file)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.welcome)
        self._stack.addWidget(self.view)
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for widget in (self.notices, self.tasks):
            column.addWidget(widget)
        column.addWidget(self._stack, 1)
        column.addWidget(self.seek_bar)
        self.setCentralWidget(middle)

    def _make_docks(self) -> dict[str, PanelDock]:
        docks: dict[str, PanelDock] = {}
        first: dict[str, PanelDock] = {}
        for name, spec in PANELS.items():
            docks[name] = dock = PanelDock(name, spec, self.controller, self)
            dock.action.triggered.connect(lambda _, dock=dock: self.toggle_panel(dock))
            self.menus.add_panel(dock.action)
            self.addDockWidget(_AREAS[spec.area], dock)
            if spec.area in first:
                self.tabifyDockWidget(first[spec.area], dock)
            first.setdefault(spec.area, dock)
        for dock in first.values():
            dock.raise_()
        return docks

    def _connect(self) -> None:
        bridge = self.controller.bridge
        bridge.progress.connect(self.tasks.progress)
        bridge.saved.connect(self.tasks.ended)
        bridge.failed.connect(self.tasks.ended)
        bridge.opening.connect(self._on_opening)
        bridge.opened.connect(self._on_opened)
        bridge.closed.connect(self._on_closed)
        self.controller.notice.connect(self.notices.show_notice)
        self.controller.settled.connect(self.notices.settle)
        self.controller.display_changed.connect(self.menus.refresh)
        self.view.full_screen_requested.connect(self.toggle_full_screen)
        self._emptied = QTimer(self)  # another source may be opening, and the welcome page would only flash
        self._emptied.setSingleShot(True)
        self._emptied.setInterval(_BLINK)
        self._emptied.timeout.connect(self._on_emptied)
        self._look = QTimer(self)
        self._look.setInterval(_LOOK)
        self._look.timeout.connect(self.menus.refresh)
        self._look.start()

    def _arrange(self) -> None:
        """Restore the saved layout, or the first one."""
        self.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
        for area, side, orientation in _FIRST_SIDES:
            docks = [dock for dock in self.docks.values() if dock.spec.area == area]
            self.resizeDocks(docks, [side] * len(docks), orientation)
        settings = self.controller.settings
        geometry, _, state = settings.layout.partition(" ")
        self.restoreGeometry(_decoded(geometry))
        self.restoreState(_decoded(state))
        for name, dock in self.docks.items():
            dock.setVisible(PANELS[name].shown if settings.panels is None else name in settings.panels)

    def _on_opening(self) -> None:
        self._show_view(True)

    def _on_opened(self) -> None:
        self.setWindowTitle(f"{self.controller.title} – LiveMask")
        self._show_view(True)
        self.menus.refresh()

    def _on_closed(self) -> None:
        self.menus.refresh()
        self._emptied.start()

    def _on_emptied(self) -> None:
        if self.controller.opened is None and not self.view.opening:
            self.setWindowTitle("LiveMask")
            self._show_view(False)

    @staticmethod
    def _show(wanted: bool, *widgets: QWidget | None) -> None:
        for widget in widgets:
            if widget is not None:
                widget.setVisible(wanted)

    def _keeps(self, event: QKeyEvent) -> bool:
        focus = self.focusWidget()
        return focus not in (self, self.view) and is_kept(event, focus)

    def _picture(self) -> QWidget:
        """Return the view, or the welcome page in its place."""
        return self._stack.currentWidget() or self.view

    def _show_view(self, wanted: bool) -> None:
        shown: QWidget = self.view if wanted else self.welcome
        if self._stack.currentWidget() is not shown:
            had_focus = self._stack.isAncestorOf(self.focusWidget())
            self._stack.setCurrentWidget(shown)
            if had_focus:
                shown.setFocus()


def _decoded(text: str) -> QByteArray:
    try:
        return QByteArray(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):  # Qt ignores an empty array
        return QByteArray()
