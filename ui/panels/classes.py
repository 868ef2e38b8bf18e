"""Selection of the classes to detect: a list with check boxes and a search field."""

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

from ui.control.class_text import abbreviated, unknown_classes
from ui.panels.ticks import TickDelegate
from ui.panels.widgets import CompactList, WrappedLabel

NOT_LOADED = "The classes are listed once weights are loaded."
NONE_TICKED = "No class is ticked: detection continues with the previous classes"
NO_MATCH = "No class matches"
_TICKED = {True: Qt.CheckState.Checked, False: Qt.CheckState.Unchecked}


class ClassList(QWidget):
    """The field "classes": a tuple of names, or None for all.

    `edited` is not emitted while no class is ticked. Chosen classes that the weights do not know are named
    below the list, and dropped with the next change. While no weights are loaded, "All" resets the field.
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
        self.list = CompactList("Classes to look for", lines=8)
        self.list.setItemDelegate(TickDelegate(self.list))
        self.all, self.none, self.invert = _button("All"), _button("None"), _button("Invert")
        self._buttons = {self.all: "TickField", self.none: "Untick", self.invert: "Invert the ticks of"}
        for button, word in self._buttons.items():
            button.setToolTip(f"{word} all classes that the search shows")
            button.setAccessibleDescription(button.toolTip())
        self.words = WrappedLabel(NOT_LOADED, "Classes")
        self._arrange()
        self.search.textChanged.connect(self._filter)
        self.search.left.connect(self._enter_list)
        self.list.itemChanged.connect(self._tell)
        self.all.clicked.connect(self._tick_all)
        self.none.clicked.connect(self._tick_none)
        self.invert.clicked.connect(self._tick_others)

    def show_names(self, names: Sequence[str], thresholds: Mapping[str, float] | None = None) -> None:
        """List these classes in the network's order. thresholds: the weights' own of each, if known."""
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
        """Show a value of the field."""
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
        """Move the keyboard focus to the first class that matches the search."""
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
        """Set the ticks of all classes that match the search. then: the new state, given the old one."""
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
        self.words.show_text("\n".join((*told, self._choice_text())))
        self.words.setToolTip(", ".join(self._ticked()))

    def _choice_text(self) -> str:
        count, ticked = self.list.count(), self._ticked()
        if not count:
            return f"{NOT_LOADED} Chosen: {abbreviated(self._value or ('all',))}."
        if not ticked:
            before = "all classes" if self._value is None else abbreviated(self._value)
            return f"{NONE_TICKED} ({before}) until one is."
        named = f": {abbreviated(ticked)}" if len(ticked) < count else ""
        told = f"{len(ticked)} of {count} classes{named}"
        unknown = unknown_classes(self._value, [item.text() for item in self.list.rows()])
        return f"{told}\nNot known to these weights: {abbreviated(unknown)}" if unknown else told


def _button(text: str) -> QToolButton:
    """Return a tool button, narrower than a push button: three fit beside each other in a narrow panel."""
    button = QToolButton()
    button.setText(text)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    button.setSizePolicy(QSizePolicy.Policy.MinimumExpanding, QSizePolicy.Policy.Fixed)
    return button


class _Search(QLineEdit):
    """A search field that emits `left` when the Down key is pressed."""

    left = pyqtSignal()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802
        """Leave the field with the Down key."""
        if event is not None and event.key() == Qt.Key.Key_Down:
            self.left.emit()
        else:
            super().keyPressEvent(event)
