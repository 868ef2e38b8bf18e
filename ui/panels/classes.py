"""Which classes to look for: a list to tick, with a search."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtCore import QSignalBlocker, Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ui.panels.ticks import TickRows
from ui.panels.widgets import LowList, Words

NOT_LOADED = "The classes are listed once weights are loaded."
NONE_TICKED = "No class is ticked: detection goes on with the choice before"
NO_MATCH = "No class matches"
_MOST_NAMED = 3
_TICKED = {True: Qt.CheckState.Checked, False: Qt.CheckState.Unchecked}


class ClassList(QWidget):
    """The field "classes": a tuple of names, or None for all.

    Nothing is told while no class is ticked, since a search for nothing makes no sense. As long as no weights
    are loaded, "All" takes back a choice that they may not know.
    """

    edited = pyqtSignal(str, object)

    def __init__(self) -> None:
        super().__init__()
        self.field = "classes"
        self._value: tuple[str, ...] | None = None
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search classes")
        self.search.setAccessibleName("Search classes")
        self.search.setClearButtonEnabled(True)
        self.list = LowList("Classes to look for", lines=8)
        self.list.setItemDelegate(TickRows(self.list))
        self.all = QPushButton("All")
        self.none = QPushButton("None")
        for button, word in ((self.all, "Tick"), (self.none, "Untick")):
            button.setToolTip(f"{word} all classes that the search shows")
            button.setAccessibleDescription(button.toolTip())
        self.words = Words(NOT_LOADED, "Classes")
        self._arrange()
        self.search.textChanged.connect(self._filter)
        self.list.itemChanged.connect(self._tell)
        self.all.clicked.connect(self._tick_all)
        self.none.clicked.connect(self._tick_none)

    def show_names(self, names: Sequence[str]) -> None:
        """List these classes, in the network's order."""
        with QSignalBlocker(self.list):
            self.list.clear()
            for name in names:
                item = QListWidgetItem(name)
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
                self.list.addItem(item)
        self._filter(self.search.text())
        self.show_value(self._value)

    def show_value(self, value: tuple[str, ...] | None) -> None:
        """Show the field's value."""
        self._value = value
        with QSignalBlocker(self.list):
            for item in self.list.rows():
                item.setCheckState(_TICKED[value is None or item.text() in value])
        self._say()

    def _arrange(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self.all)
        buttons.addWidget(self.none)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.search)
        column.addLayout(buttons)
        column.addWidget(self.list, 1)
        column.addWidget(self.words)

    def _ticked(self) -> tuple[str, ...]:
        return tuple(i.text() for i in self.list.rows() if i.checkState() == Qt.CheckState.Checked)

    def _filter(self, text: str) -> None:
        for item in self.list.rows():
            item.setHidden(text.strip().casefold() not in item.text().casefold())
        self._say()

    def _tick_all(self) -> None:
        self._tick(True)

    def _tick_none(self) -> None:
        self._tick(False)

    def _tick(self, on: bool) -> None:
        with QSignalBlocker(self.list):
            for item in self.list.rows():
                if not item.isHidden():
                    item.setCheckState(_TICKED[on])
        self._tell()

    def _tell(self) -> None:
        ticked = self._ticked()
        self._say()
        if ticked or not self.list.count():
            self._value = None if len(ticked) == self.list.count() else ticked
            self.edited.emit(self.field, self._value)

    def _say(self) -> None:
        count = self.list.count()
        matches = not all(item.isHidden() for item in self.list.rows())
        self.search.setEnabled(count > 0)
        for widget in (self.none, self.list):
            widget.setEnabled(matches)
        self.all.setEnabled(matches or (not count and self._value is not None))
        told = () if matches or not count else (f"{NO_MATCH} “{self.search.text().strip()}”.",)
        self.words.say("\n".join((*told, self._choice_words())))

    def _choice_words(self) -> str:
        count, ticked = self.list.count(), len(self._ticked())
        if not count:
            return f"{NOT_LOADED} Chosen: {', '.join(self._value or ('all',))}."
        if ticked:
            return f"{ticked} of {count} classes"
        before = "all classes" if self._value is None else _some(self._value)
        return f"{NONE_TICKED} ({before}) until one is."


def _some(names: Sequence[str]) -> str:
    """A few of the names, and how many there are besides."""
    rest = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")
