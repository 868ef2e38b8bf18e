"""Small widgets that panels are made of, besides fields: words that wrap, lists that ask for little room."""

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

_ROUNDS = 2  # a form asks for the height of a text that wraps once it knows the width
_LONG_WORD = re.compile(r"\S{16,}")
_SEPARATORS = re.compile(r"[/\\_.&?=@-]+(?=[^/\\_.&?=@-])")


def breakable(text: str) -> str:
    """The text with invisible places to break a line in a long path or address, which can be wrapped so."""
    return _LONG_WORD.sub(lambda word: _SEPARATORS.sub("\\g<0>\u200b", word.group()), text)


class Words(QLabel):
    """Plain text that wraps at any width; without text it takes no room."""

    def __init__(self, text: str = "", name: str = "") -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)  # a file may be called <b>
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self._put(text)
        if not text:  # to show it would make it a window of its own, as long as it is in no other
            self.hide()

    def say(self, text: str) -> None:
        """Show this text."""
        if text == self.words:
            return
        self._put(text)
        self.setVisible(bool(text))
        if self.isVisible():
            _lay_out_now()  # or it is painted once in the room of the text before

    def _put(self, text: str) -> None:
        self.words = text
        self.setText(breakable(text))
        self.setAccessibleDescription(text)


def _lay_out_now() -> None:
    for _ in range(_ROUNDS):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest.value)


class LowList(QListWidget):
    """A list that asks for a few lines only, and takes what room there is."""

    def __init__(self, name: str, lines: int = 5) -> None:
        super().__init__()
        self._lines = lines
        self.setAccessibleName(name)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def rows(self) -> list[QListWidgetItem]:
        """All of them, hidden ones too."""
        return [item for row in range(self.count()) if (item := self.item(row)) is not None]

    def sizeHint(self) -> QSize:  # noqa: N802
        """A few lines."""
        return QSize(super().sizeHint().width(), self.minimumSizeHint().height())

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """The same."""
        return QSize(60, self._lines * self.fontMetrics().height() + 2 * self.frameWidth() + 4)


class Working(QWidget):
    """A bar with words for something that takes a while; without it, there is nothing to be seen."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.bar = QProgressBar()
        self.bar.setAccessibleName(name)
        self.words = Words(name=name)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.words)
        column.addWidget(self.bar)
        self.end()

    def tell(self, words: str, fraction: float | None = None) -> None:
        """Show how far it is; fraction: 0..1, None when that is not known."""
        self.bar.setRange(0, 0 if fraction is None else 100)
        self.bar.setTextVisible(fraction is not None)
        if fraction is not None:
            self.bar.setValue(round(100 * fraction))
        self.words.say(words)
        self.show()

    def end(self) -> None:
        """It is over, well or not."""
        self.bar.setRange(0, 1)  # a bar without end draws itself again and again, hidden or not
        self.hide()
