"""Fields for the score threshold: one for all classes, or the weights' own of each class."""

from __future__ import annotations

from collections.abc import Mapping

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QVBoxLayout, QWidget

from ui.control.class_text import OWN, common_threshold, threshold_text
from ui.panels.fields import SliderField
from ui.panels.ticks import TickBox
from ui.panels.widgets import WrappedLabel

OWN_FOR_EACH = "Own for each class"
OWN_TIP = (
    "Each class has its own threshold from the weights, where precision and recall were best; "
    "the slider sets one for all"
)


class ScoreSlider(SliderField):
    """The field "score_threshold": a number, or None, which is shown as "own".

    own: position of the slider for None
    """

    def __init__(self, name: str) -> None:
        super().__init__("score_threshold", name, 0, 1, 100, "{:.2f}".format)
        self.own = common_threshold({})

    def show_value(self, value: float | None) -> None:
        """Show a value of the field."""
        super().show_value(self.own if value is None else value)
        if value is None:
            self.label.setText(OWN)
            self.slider.setAccessibleDescription(OWN)


class ScoreThreshold(QWidget):
    """The field "score_threshold": a number for every class, or None for the weights' own of each class.

    Moving the slider sets a number.
    """

    edited = pyqtSignal(str, object)

    def __init__(self) -> None:
        super().__init__()
        self.field = "score_threshold"
        self._value: float | None = None
        self._thresholds: Mapping[str, float] = {}
        self.slider = ScoreSlider("Score threshold")
        self.own = TickBox(OWN_FOR_EACH)
        self.own.setToolTip(OWN_TIP)
        self.own.setAccessibleDescription(OWN_TIP)
        self.words = WrappedLabel(name="Score thresholds in force")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for widget in (self.slider, self.own, self.words):
            column.addWidget(widget)
        self.setFocusProxy(self.slider)
        self.slider.edited.connect(self._move)
        self.own.clicked.connect(self._choose)
        self.show_value(None)

    def show_value(self, value: float | None) -> None:
        """Show a value of the field."""
        self._value = value
        self.own.setChecked(value is None)
        self.slider.show_value(value)
        self.words.show_text(threshold_text(value, self._thresholds))

    def show_own(self, thresholds: Mapping[str, float]) -> None:
        """Set the weights' own thresholds by class; empty if unknown."""
        self._thresholds = thresholds
        self.slider.own = common_threshold(thresholds)
        self.show_value(self._value)

    def _move(self, field: str, value: float) -> None:
        self.show_value(value)
        self.edited.emit(self.field, value)

    def _choose(self, own: bool) -> None:
        self.show_value(None if own else self.slider.own)
        self.edited.emit(self.field, self._value)
