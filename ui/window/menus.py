"""Menus, tool bar and shortcuts of the window, made from the table of actions."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QAction, QKeySequence
from PyQt6.QtWidgets import QMainWindow, QMenu, QToolBar

from ui.control.controller import Controller
from ui.control.source_names import label_of
from ui.window.actions import ACTIONS, MENUS, ActionSpec


class Menus:
    """Make the menus and the tool bar, and keep their checked and enabled states up to date.

    run: called with the action that was triggered
    """

    def __init__(
        self, window: QMainWindow, controller: Controller, run: Callable[[ActionSpec], object]
    ) -> None:
        self._window = window
        self._controller = controller
        self._run = run
        self.tools = QToolBar("Tools", window)
        self.menus = {name: self._make_menu(title) for name, title in MENUS.items()}
        self.actions = {spec.name: self._make_action(spec) for spec in ACTIONS}
        self._make_tools()
        self._make_recent()

    def add_panel(self, action: QAction) -> None:
        """Add the action that shows and hides a panel."""
        self.menus["panels"].addAction(action)
        self._window.addAction(action)

    def refresh(self) -> None:
        """Update the checked and enabled states of all actions."""
        for spec in ACTIONS:
            action = self.actions[spec.name]
            if spec.checked is not None:
                checked = spec.checked(self._controller)
                action.setChecked(checked)
                if spec.tool_checked:
                    self._name_tool(action, spec.tool_checked if checked else spec.tool)
            if spec.enabled is not None:
                action.setEnabled(spec.enabled(self._controller))

    def _name_tool(self, action: QAction, text: str) -> None:
        """Set the text of an action's button in the tool bar."""
        button = self.tools.widgetForAction(action)
        if button is not None and action.iconText() != text:
            button.setMinimumWidth(
                max(button.width(), button.minimumWidth())
            )  # keeps its neighbours in place
            action.setIconText(text)
            button.setAccessibleName(text)

    def _make_menu(self, title: str) -> QMenu:
        bar = self._window.menuBar()
        menu = bar.addMenu(title) if bar is not None else None
        assert menu is not None
        menu.setToolTipsVisible(True)
        return menu

    def _make_action(self, spec: ActionSpec) -> QAction:
        action = QAction(spec.text, self._window)
        action.setObjectName(spec.name)
        action.setShortcuts([QKeySequence(key) for key in spec.keys])
        keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        action.setToolTip(f"{spec.tip} ({keys})" if keys else spec.tip)
        action.setIconText(spec.tool or spec.text.replace("&", ""))
        action.setCheckable(spec.checked is not None)
        action.triggered.connect(lambda: self._do(spec))
        if spec.parts:
            self.menus[spec.menu].addSeparator()
        self.menus[spec.menu].addAction(action)
        self._window.addAction(action)  # otherwise its shortcut is off while the menus are hidden
        return action

    def _do(self, spec: ActionSpec) -> None:
        self._run(spec)
        self.refresh()

    def _make_tools(self) -> None:
        self.tools.setObjectName("tools")
        self.tools.setMovable(False)
        self.tools.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        menu_before = ""
        for spec in (spec for spec in ACTIONS if spec.tool):
            if menu_before not in ("", spec.menu):
                self.tools.addSeparator()
            menu_before = spec.menu
            self.tools.addAction(self.actions[spec.name])
            button = self.tools.widgetForAction(self.actions[spec.name])
            if button is not None:
                button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
                button.setAccessibleName(spec.tool)
        self._window.addToolBar(self.tools)

    def _make_recent(self) -> None:
        self.recent = QMenu("Open &recent", self._window)
        self.menus["file"].insertMenu(self.actions["close_source"], self.recent)
        self.recent.aboutToShow.connect(self._fill_recent)

    def _fill_recent(self) -> None:
        recent = self.recent
        recent.clear()
        for source in self._controller.settings.recent:
            action = recent.addAction(label_of(source).replace("&", "&&"))
            if action is not None:
                action.triggered.connect(lambda _, text=source: self._controller.open(text))
        if recent.isEmpty():
            nothing = recent.addAction("Nothing yet")
            if nothing is not None:
                nothing.setEnabled(False)
