"""Which classes to look for: a list to tick, with a search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from PyQt6.QtCore import QSignalBlocker, Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QListWidgetItem,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ui.control.class_words import some, unknown_classes
from ui.panels.ticks import TickRows
from ui.panels.widgets import LowList, Words

NOT_LOADED = "The classes are listed once weights are loaded."
NONE_TICKED = "No class is ticked: detection goes on with the choice before"
NO_MATCH = "No class matches"
_TICKED = {True: Qt.CheckState.Checked, False: Qt.CheckState.Unchecked}


class ClassList(QWidget):
    """The field "classes": a tuple of names, or None for all.

    Nothing is told while no class is ticked, since a search for nothing makes no sense. Chosen classes that
    the weights do not know are no part of it, and are said; who chooses anew gives them up. As long as no
    weights are loaded, "All" takes back a choice that they may not know.
    """

    edited = pyqtSignal(str, object)

    def __init__(self) -> None:
        super().__init__()
        self.field = "classes"
        self._value: tuple[str, ...] | None = None
        self.search = _Search()
        self.search.setPlaceholderText("Search classes")
        self.search.setAccessibleName("Search classes")
        self.search.setClearButtonEnabled(True)
        self.list = LowList("Classes to look for", lines=8)
        self.list.setItemDelegate(TickRows(self.list))
        self.all, self.none, self.invert = _button("All"), _button("None"), _button("Invert")
        self._buttons = {self.all: "Tick", self.none: "Untick", self.invert: "Turn round the ticks of"}
        for button, word in self._buttons.items():
            button.setToolTip(f"{word} all classes that the search shows")
            button.setAccessibleDescription(button.toolTip())
        self.words = Words(NOT_LOADED, "Classes")
        self._arrange()
        self.search.textChanged.connect(self._filter)
        self.search.left.connect(self._enter_list)
        self.list.itemChanged.connect(self._tell)
        self.all.clicked.connect(self._tick_all)
        self.none.clicked.connect(self._tick_none)
        self.invert.clicked.connect(self._tick_others)

    def show_names(self, names: Sequence[str], thresholds: Mapping[str, float] | None = None) -> None:
        """List these classes, in the network's order. thresholds: the weights' own of each, where known."""
        with QSignalBlocker(self.list):
            self.list.clear()
            for name in names:
                item = QListWidgetItem(name)
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
                if thresholds and name in thresholds:
                    item.setToolTip(f"{name}: its own score threshold is {thresholds[name]:.2f}")
                self.list.addItem(item)
        self._filter(self.search.text())
        self.show_value(self._value)

    def show_value(self, value: tuple[str, ...] | None) -> None:
        """Show the field's value."""
        self._value = value
        rows = self.list.rows()
        wanted = {item.text() for item in rows}.intersection(value or ()) or {item.text() for item in rows}
        with QSignalBlocker(self.list):
            for item in rows:
                item.setCheckState(_TICKED[item.text() in wanted])
        self._say()

    def _arrange(self) -> None:
        buttons = QHBoxLayout()
        for button in self._buttons:
            buttons.addWidget(button)
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

    def _enter_list(self) -> None:
        """Go on with the first class that the search shows."""
        shown = next((item for item in self.list.rows() if not item.isHidden()), None)
        if shown is not None:
            self.list.setCurrentItem(shown)
            self.list.setFocus(Qt.FocusReason.TabFocusReason)

    def _tick_all(self) -> None:
        self._tick(lambda ticked: True)

    def _tick_none(self) -> None:
        self._tick(lambda ticked: False)

    def _tick_others(self) -> None:
        self._tick(lambda ticked: not ticked)

    def _tick(self, then: Callable[[bool], bool]) -> None:
        """then: whether one that the search shows is ticked from now on, given whether it is."""
        with QSignalBlocker(self.list):
            for item in self.list.rows():
                if not item.isHidden():
                    item.setCheckState(_TICKED[then(item.checkState() == Qt.CheckState.Checked)])
        self._tell()

    def _tell(self) -> None:
        ticked = self._ticked()
        chosen = bool(ticked) or not self.list.count()
        if chosen:
            self._value = None if len(ticked) == self.list.count() else ticked
        self._say()
        if chosen:
            self.edited.emit(self.field, self._value)

    def _say(self) -> None:
        count = self.list.count()
        matches = not all(item.isHidden() for item in self.list.rows())
        self.search.setEnabled(count > 0)
        for widget in (self.none, self.invert, self.list):
            widget.setEnabled(matches)
        self.all.setEnabled(matches or (not count and self._value is not None))
        told = () if matches or not count else (f"{NO_MATCH} “{self.search.text().strip()}”.",)
        self.words.say("\n".join((*told, self._choice_words())))
        self.words.setToolTip(", ".join(self._ticked()))

    def _choice_words(self) -> str:
        count, ticked = self.list.count(), self._ticked()
        if not count:
            return f"{NOT_LOADED} Chosen: {some(self._value or ('all',))}."
        if not ticked:
            before = "all classes" if self._value is None else some(self._value)
            return f"{NONE_TICKED} ({before}) until one is."
        named = f": {some(ticked)}" if len(ticked) < count else ""
        told = f"{len(ticked)} of {count} classes{named}"
        unknown = unknown_classes(self._value, [item.text() for item in self.list.rows()])
        return f"{told}\nNot known to these weights: {some(unknown)}" if unknown else told


def _button(text: str) -> QToolButton:
    """Narrower than a push button: three of them fit beside each other in a narrow panel."""
    button = QToolButton()
    button.setText(text)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    button.setSizePolicy(QSizePolicy.Policy.MinimumExpanding, QSizePolicy.Policy.Fixed)
    return button


class _Search(QLineEdit):
    """Is left by the key that leads down to what it has found."""

    left = pyqtSignal()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802
        """Down leaves it."""
        if event is not None and event.key() == Qt.Key.Key_Down:
            self.left.emit()
        else:
            super().keyPressEvent(event)
