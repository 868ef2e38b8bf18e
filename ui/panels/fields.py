"""Fields: widgets for one setting each.

A field shows one field of a settings record. `show_value` sets it without a signal; `edited` is emitted, with
the field's name, only when the user changes it. So a panel that follows the settings cannot trigger itself.
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

THROTTLE = 80  # milliseconds


class TickField(TickBox):
    """A field that is True or False."""

    edited = pyqtSignal(str, object)

    def __init__(self, field: str, text: str, tip: str = "") -> None:
        super().__init__(text)
        self.field = field
        self.setToolTip(tip)
        self.setAccessibleDescription(tip)
        self.clicked.connect(self._tell)

    def show_value(self, value: bool) -> None:
        """Show a value of the field."""
        self.setChecked(value)

    def _tell(self, on: bool) -> None:
        self.edited.emit(self.field, on)


class ChoiceField(QComboBox):
    """A field with one of several values. rows: value, text and explanation of each."""

    edited = pyqtSignal(str, object)

    def __init__(self, field: str, name: str, rows: Iterable[tuple[Any, str, str]] = ()) -> None:
        super().__init__()
        self.field = field
        self.setAccessibleName(name)
        # otherwise the longest text would set the minimum width of the window
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        for value, text, tip in rows:
            self.add_row(value, text, tip)
        self.activated.connect(self._tell)

    @property
    def value(self) -> Any:
        """The value that is selected."""
        return self.currentData()

    def add_row(self, value: Any, text: str, tip: str = "") -> None:
        """Add a value to choose from."""
        self.addItem(text, value)
        self.setItemData(self.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)

    def add_heading(self, text: str) -> None:
        """Add a line that cannot be selected."""
        self.addItem(text)
        model = self.model()
        assert isinstance(model, QStandardItemModel)
        item = model.item(self.count() - 1)
        assert item is not None
        item.setEnabled(False)

    def row_of(self, value: Any) -> int:
        """Return the row of a value, -1 if the list does not have it."""
        rows = (row for row in range(self.count()) if not self._is_heading(row))
        return next((row for row in rows if self.itemData(row) == value), -1)

    def show_value(self, value: Any) -> None:
        """Show a value of the field; it is added if the list does not have it."""
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


class SliderField(QWidget):
    """A field with a number in a range, shown as text beside the slider.

    scale: steps of the slider per unit of the field; the values are integers if `scale` is 1
    words: returns the text of a value
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
        """Show a value of the field."""
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


class ColourField(QPushButton):
    """A field with a BGR colour: a button that shows it and opens a dialog."""

    edited = pyqtSignal(str, object)

    def __init__(self, field: str, name: str) -> None:
        super().__init__()
        self.field, self._name = field, name
        self._colour: Colour = (0, 0, 0)
        self.clicked.connect(self._ask)

    def show_value(self, value: Colour) -> None:
        """Show a value of the field."""
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
        """Open the dialog for a colour. Returns at once."""
        dialog = QColorDialog(self._as_qt(), self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle(self._name)
        dialog.colorSelected.connect(self._tell)
        dialog.open()

    def _tell(self, colour: QColor) -> None:
        self.edited.emit(self.field, (colour.blue(), colour.green(), colour.red()))


Field = TickField | ChoiceField | SliderField | ColourField


def has_changed(field: str, before: object | None, now: object) -> bool:
    """Return True if a field of a record has another value than before, or if there was no record before.

    A field is updated only then, so that a value being entered stays when another field changes.
    """
    return before is None or getattr(before, field) != getattr(now, field)


class ThrottledChanges(QObject):
    """Pass changes on at most every `THROTTLE` milliseconds, the last one of each field.

    A slider that is dragged emits about a hundred changes a second.
    """

    def __init__(self, put: Callable[..., None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._put = put
        self._changes: dict[str, Any] = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(THROTTLE)
        self._timer.timeout.connect(self.flush)

    def add(self, field: str, value: object) -> None:
        """Pass a change on soon."""
        self._changes[field] = value
        if not self._timer.isActive():
            self._timer.start()

    def holds(self, field: str) -> bool:
        """Return True if a change of this field has not been passed on yet."""
        return field in self._changes

    def flush(self) -> None:
        """Pass all waiting changes on now."""
        self._timer.stop()
        changes, self._changes = self._changes, {}
        if changes:
            self._put(**changes)
