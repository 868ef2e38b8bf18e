"""The table of shortcuts, made from the tables of actions and panels."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QKeySequence
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ui.panels import PANELS
from ui.window.actions import ACTIONS, MENUS

MOUSE = (
    ("Click", "Select an instance; beside them, deselect"),
    ("Double click", "Full screen"),
    ("Drag the line", "Move the line of a comparison"),
    ("Wheel", "Zoom about the cursor"),
    ("Drag", "Move the picture while it is zoomed"),
    ("Shift + arrow", "Move the picture while it is zoomed"),
)


def shortcuts() -> tuple[tuple[str, str, str], ...]:
    """Return all shortcuts as (menu, keys, description)."""
    by_menu: dict[str, list[tuple[str, str]]] = {name: [] for name in MENUS}
    for spec in ACTIONS:
        if spec.keys:
            by_menu[spec.menu].append((_keys(spec.keys), spec.tip or spec.text.replace("&", "")))
    by_menu["panels"] += [(_keys((one.shortcut,)), f"{one.title}: {one.tip}") for one in PANELS.values()]
    rows = [(MENUS[menu].replace("&", ""), *row) for menu, found in by_menu.items() for row in found]
    return (*rows, *(("Picture", *row) for row in MOUSE))


class ShortcutsDialog(QDialog):
    """A dialog with the table of shortcuts, deleted when it is closed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Shortcuts")
        self.resize(640, 620)
        layout = QVBoxLayout(self)
        layout.addWidget(_table(shortcuts()))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)


def _table(rows: tuple[tuple[str, str, str], ...]) -> QTableWidget:
    table = QTableWidget(len(rows), 3)
    table.setAccessibleName("Shortcuts")
    table.setHorizontalHeaderLabels(["Where", "Keys", "What they do"])
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setAlternatingRowColors(True)
    table.setShowGrid(False)
    table.setTabKeyNavigation(False)
    numbers, header = table.verticalHeader(), table.horizontalHeader()
    if numbers is not None and header is not None:
        numbers.hide()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    for row, texts in enumerate(rows):
        for column, text in enumerate(texts):
            table.setItem(row, column, QTableWidgetItem(text))
    table.resizeRowsToContents()
    return table


def _keys(keys: tuple[str, ...]) -> str:
    """Return the keys as the system names them."""
    return ", ".join(QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText) for key in keys)
