"""Fields: widgets for one setting each.

A field shows one field of a settings record: `show_value` puts it there and tells nobody, `edited` tells
what a person chose, with the field's name. So a panel that follows the settings cannot drive itself in
circles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from PyQt6.QtCore import QObject, QSignalBlocker, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QColor, QIcon, QPixmap, QStandardItemModel, QWheelEvent
from PyQt6.QtWidgets import (
    QColorDialog,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QWidget,
)

from pipeline.settings import Colour
from ui.panels.ticks import TickBox

GATHERING = 80  # milliseconds


class Tick(TickBox):
    """A field that is on or off."""

    edited = pyqtSignal(str, object)

    def __init__(self, field: str, text: str, tip: str = "") -> None:
        super().__init__(text)
        self.field = field
        self.setToolTip(tip)
        self.setAccessibleDescription(tip)
        self.clicked.connect(self._tell)

    def show_value(self, value: bool) -> None:
        """Show the field's value."""
        self.setChecked(value)

    def _tell(self, on: bool) -> None:
        self.edited.emit(self.field, on)


class Choice(QComboBox):
    """A field with one of several values. rows: of value, text and explanation."""

    edited = pyqtSignal(str, object)

    def __init__(self, field: str, name: str, rows: Iterable[tuple[Any, str, str]] = ()) -> None:
        super().__init__()
        self.field = field
        self.setAccessibleName(name)
        # otherwise the longest text would set the least width of the whole window
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        for value, text, tip in rows:
            self.add_row(value, text, tip)
        self.activated.connect(self._tell)

    @property
    def value(self) -> Any:
        """What is shown as chosen."""
        return self.currentData()

    def add_row(self, value: Any, text: str, tip: str = "") -> None:
        """One more value to choose from."""
        self.addItem(text, value)
        self.setItemData(self.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)

    def add_heading(self, text: str) -> None:
        """A line in the list that cannot be chosen."""
        self.addItem(text)
        model = self.model()
        assert isinstance(model, QStandardItemModel)
        item = model.item(self.count() - 1)
        assert item is not None
        item.setEnabled(False)

    def row_of(self, value: Any) -> int:
        """Where this value is in the list; -1 where it is not."""
        rows = (row for row in range(self.count()) if not self._is_heading(row))
        return next((row for row in rows if self.itemData(row) == value), -1)

    def show_value(self, value: Any) -> None:
        """Show the field's value, which is added where the list does not have it."""
        if self.row_of(value) < 0:
            self.add_row(value, str(value))
        self.setCurrentIndex(self.row_of(value))

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802
        """Leave the wheel to the panel, which scrolls."""
        if event is not None:
            event.ignore()

    def _is_heading(self, row: int) -> bool:
        model = self.model()
        assert isinstance(model, QStandardItemModel)
        item = model.item(row)
        return item is not None and not item.isEnabled()

    def _tell(self, row: int) -> None:
        self.edited.emit(self.field, self.itemData(row))


class _StillSlider(QSlider):
    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802
        if event is not None:
            event.ignore()


class Slider(QWidget):
    """A number between two others, with its value in words.

    scale: steps of the slider for 1 of the field; the field is a whole number where `scale` is 1
    words: how a value is written
    """

    edited = pyqtSignal(str, object)

    def __init__(
        self, field: str, name: str, low: float, high: float, scale: int, words: Callable[[float], str]
    ) -> None:
        super().__init__()
        self.field = field
        self._scale, self._words = scale, words
        self.slider = _StillSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(round(low * scale), round(high * scale))
        self.slider.setPageStep(max(1, round((high - low) * scale / 10)))
        self.slider.setAccessibleName(name)
        self.slider.setMinimumWidth(60)
        self.label = QLabel()
        widest = max(self.fontMetrics().horizontalAdvance(words(value)) for value in (low, high))
        self.label.setMinimumWidth(widest)
        self.label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.slider, 1)
        row.addWidget(self.label)
        self.setFocusProxy(self.slider)
        self.slider.valueChanged.connect(self._tell)

    def show_value(self, value: float) -> None:
        """Show the field's value."""
        with QSignalBlocker(self.slider):
            self.slider.setValue(round(value * self._scale))
        self._say(value)

    def _tell(self, step: int) -> None:
        value = step if self._scale == 1 else step / self._scale
        self._say(value)
        self.edited.emit(self.field, value)

    def _say(self, value: float) -> None:
        self.label.setText(self._words(value))
        self.slider.setAccessibleDescription(self._words(value))


class ColourButton(QPushButton):
    """A field that is a colour, BGR: a swatch and its code, which open a dialog."""

    edited = pyqtSignal(str, object)

    def __init__(self, field: str, name: str) -> None:
        super().__init__()
        self.field, self._name = field, name
        self._colour: Colour = (0, 0, 0)
        self.clicked.connect(self._ask)

    def show_value(self, value: Colour) -> None:
        """Show the field's value."""
        self._colour = value
        colour = self._as_qt()
        swatch = QPixmap(self.iconSize())
        swatch.fill(colour)
        self.setIcon(QIcon(swatch))
        self.setText(f"{colour.name().upper()}…")
        self.setAccessibleName(f"{self._name}: {colour.name()}")

    def _as_qt(self) -> QColor:
        blue, green, red = self._colour
        return QColor(red, green, blue)

    def _ask(self) -> None:
        """Returns at once: the picture goes on while somebody chooses."""
        dialog = QColorDialog(self._as_qt(), self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle(self._name)
        dialog.colorSelected.connect(self._tell)
        dialog.open()

    def _tell(self, colour: QColor) -> None:
        self.edited.emit(self.field, (colour.blue(), colour.green(), colour.red()))


Field = Tick | Choice | Slider | ColourButton


def is_news(field: str, before: object | None, now: object) -> bool:
    """Whether a field of a record is another than it was; so it is where there was none before.

    What a person has begun to choose stays when something else is changed.
    """
    return before is None or getattr(before, field) != getattr(now, field)


class Gathered(QObject):
    """Hands changes on at most every `GATHERING` milliseconds, the last of each field.

    A slider that is dragged gives a hundred a second.
    """

    def __init__(self, put: Callable[..., None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._put = put
        self._changes: dict[str, Any] = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(GATHERING)
        self._timer.timeout.connect(self.flush)

    def add(self, field: str, value: object) -> None:
        """Hand this on, soon."""
        self._changes[field] = value
        if not self._timer.isActive():
            self._timer.start()

    def holds(self, field: str) -> bool:
        """Whether a change of this field is still to be handed on."""
        return field in self._changes

    def flush(self) -> None:
        """Hand on what there is, now."""
        self._timer.stop()
        changes, self._changes = self._changes, {}
        if changes:
            self._put(**changes)
