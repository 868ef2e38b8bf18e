"""Small widgets of panels: wrapping labels, compact lists, progress bars."""

from __future__ import annotations

import re

from PyQt6.QtCore import QCoreApplication, QEvent, QSize, Qt
from PyQt6.QtWidgets import (
    QLabel,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

_ROUNDS = 2  # a form asks for the height of a wrapped text once it knows the width
_LONG_WORD = re.compile(r"\S{16,}")
_SEPARATORS = re.compile(r"[/\\_.&?=@-]+(?=[^/\\_.&?=@-])")


def breakable(text: str) -> str:
    """Return the text with invisible break points in long paths and addresses."""
    return _LONG_WORD.sub(lambda word: _SEPARATORS.sub("\\g<0>\u200b", word.group()), text)


class WrappedLabel(QLabel):
    """A label of plain text that wraps at any width; hidden without text."""

    def __init__(self, text: str = "", name: str = "") -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)  # a file may be called <b>
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self._put(text)
        if not text:  # without a parent, showing it would open a window
            self.hide()

    def show_text(self, text: str) -> None:
        """Show a text."""
        if text == self.words:
            return
        self._put(text)
        self.setVisible(bool(text))
        if self.isVisible():
            _lay_out_now()  # otherwise it is painted once at the old size

    def _put(self, text: str) -> None:
        self.words = text
        self.setText(breakable(text))
        self.setAccessibleDescription(text)


def _lay_out_now() -> None:
    for _ in range(_ROUNDS):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest.value)


class CompactList(QListWidget):
    """A list that asks for the height of a few lines, and fills the room that it gets."""

    def __init__(self, name: str, lines: int = 5) -> None:
        super().__init__()
        self._lines = lines
        self.setAccessibleName(name)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def rows(self) -> list[QListWidgetItem]:
        """Return all items, hidden ones too."""
        return [item for row in range(self.count()) if (item := self.item(row)) is not None]

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the height of a few lines."""
        return QSize(super().sizeHint().width(), self.minimumSizeHint().height())

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the height of a few lines."""
        return QSize(60, self._lines * self.fontMetrics().height() + 2 * self.frameWidth() + 4)


class ProgressRow(QWidget):
    """A progress bar with a text; hidden while nothing is in progress."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.bar = QProgressBar()
        self.bar.setAccessibleName(name)
        self.words = WrappedLabel(name=name)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.words)
        column.addWidget(self.bar)
        self.end()

    def show_progress(self, words: str, fraction: float | None = None) -> None:
        """Show the progress. fraction: 0..1, None if unknown."""
        self.bar.setRange(0, 0 if fraction is None else 100)
        self.bar.setTextVisible(fraction is not None)
        if fraction is not None:
            self.bar.setValue(round(100 * fraction))
        self.words.show_text(words)
        self.show()

    def end(self) -> None:
        """Hide the bar."""
        self.bar.setRange(0, 1)  # an indeterminate bar repaints all the time, even if hidden
        self.hide()
