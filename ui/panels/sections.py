"""Base class of panels with many widgets: titled sections below each other, which scroll."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QSize, Qt
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtWidgets import (
    QAbstractSlider,
    QApplication,
    QFormLayout,
    QFrame,
    QGroupBox,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

Row = QWidget | tuple[str, QWidget]

_LEAST_HEIGHT = 120  # pixels
_KEPT_KEYS = frozenset(
    {
        *(Qt.Key.Key_Space, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down),
        *(Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown),
    }
)


class Sections(QScrollArea):
    """A column of sections, which scrolls vertically if there is too little room, and never horizontally.

    The focused widget gets Space and the arrow keys even if they are shortcuts of the window. Space stays
    with the window where it would have no effect: on a slider, or while no widget here has the focus.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._inner = QWidget()
        self._column = QVBoxLayout(self._inner)
        self._column.setContentsMargins(6, 6, 6, 6)
        self.setWidget(self._inner)

    def add_section(self, title: str, *rows: Row, stretch: int = 0) -> QGroupBox:
        """Add a section at the bottom; a row is a widget, or a label and a widget beside it."""
        section = QGroupBox(title)
        form = QFormLayout(section)
        form.setContentsMargins(6, 6, 6, 6)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for row in rows:
            if isinstance(row, QWidget):
                form.addRow(row)
            else:
                form.addRow(*row)
        self._column.addWidget(section, stretch)
        return section

    def end_sections(self) -> None:
        """Keep the sections at the top."""
        self._column.addStretch(1)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return a size in which the full width of all sections is visible."""
        return QSize(self._inner.minimumSizeHint().width() + self._bar_width(), _LEAST_HEIGHT)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a size in which everything is visible without scrolling."""
        size = self._inner.sizeHint()
        return QSize(size.width() + self._bar_width(), size.height())

    def event(self, event: QEvent | None) -> bool:
        """Keep keys for the widget with the focus; Qt asks its parents too before a shortcut takes one."""
        if (
            isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.ShortcutOverride
            and event.key() in _KEPT_KEYS
            and event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
            and not (event.key() == Qt.Key.Key_Space and self._has_no_use_for_space())
        ):
            event.accept()
            return True
        return super().event(event)

    @staticmethod
    def _has_no_use_for_space() -> bool:
        return isinstance(QApplication.focusWidget(), Sections | QAbstractSlider)

    def _bar_width(self) -> int:
        bar = self.verticalScrollBar()
        return bar.sizeHint().width() if bar is not None else 0
