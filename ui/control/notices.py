"""Notices: messages above the picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

# topics of notices; some are the tasks of the session's events too
SOURCE = "source"
NETWORK = "network"
PRIVACY = "privacy"
CLASSES = "classes"
RECORDING = "recording"
ANNOTATION = "annotation"

MOST_SHOWN = 5
_RISE = 4  # pixels from the top of a button to its text
BRIEF = 6.0  # seconds that a note stays; warnings and errors stay until closed or out of date
LESS_BRIEF = 20.0  # seconds that a note with a remedy stays


class Level(Enum):
    """The severity of a notice; the value is its name on screen."""

    INFO = "Note"
    WARNING = "Warning"
    ERROR = "Error"


@dataclass(frozen=True)
class Remedy:
    """A button of a notice: its text, and the function that it calls."""

    text: str
    act: Callable[[], object]


@dataclass(frozen=True)
class Notice:
    """One notice. topic: a later notice of the same topic takes its place; details: to be copied."""

    level: Level
    text: str
    details: str = ""
    topic: str = ""
    remedy: Remedy | None = None


class NoticeBar(QWidget):
    """Show the newest notices, the last one at the bottom; hidden without any."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Notices")
        self.setVisible(False)
        self._rows: list[_Row] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(8, 8, 8, 8)
        self._layout.setSpacing(4)

    @property
    def notices(self) -> tuple[Notice, ...]:
        """The notices that are shown, oldest first."""
        return tuple(row.notice for row in self._rows)

    def show_notice(self, notice: Notice) -> None:
        """Add a notice. It replaces one of the same topic, or the oldest if there are too many."""
        if notice.topic:
            self.settle(notice.topic)
        while len(self._rows) >= MOST_SHOWN:
            self.dismiss(self._rows[0])
        row = _Row(notice, self)
        self._rows.append(row)
        self._layout.addWidget(row)
        self.setVisible(True)

    def settle(self, topic: str) -> None:
        """Dismiss the notices of a topic, which are out of date."""
        for row in [row for row in self._rows if row.notice.topic == topic]:
            self.dismiss(row)

    def clear(self) -> None:
        """Dismiss all notices."""
        for row in list(self._rows):
            self.dismiss(row)

    def dismiss(self, row: _Row) -> None:
        """Dismiss one notice."""
        if row in self._rows:
            self._rows.remove(row)
            self._layout.removeWidget(row)
            row.hide()
            row.deleteLater()
        self.setVisible(bool(self._rows))


class _Row(QFrame):
    """One notice: its level, its text and its buttons."""

    def __init__(self, notice: Notice, bar: NoticeBar) -> None:
        super().__init__(bar)
        self.notice = notice
        self._bar = bar
        self.setObjectName(f"notice{notice.level.value}")
        self.setAccessibleName(f"{notice.level.value}: {notice.text}")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 4, 4, 4)
        layout.setSpacing(10)
        level = QLabel(notice.level.value)
        level.setObjectName("noticeLevel")
        level.setContentsMargins(0, _RISE, 0, 0)
        layout.addWidget(level, 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(_text(notice.text), 1, Qt.AlignmentFlag.AlignTop)
        if notice.remedy is not None:
            layout.addWidget(_button(notice.remedy.text, self._remedy), 0, Qt.AlignmentFlag.AlignTop)
        if notice.level is not Level.INFO or notice.details:
            layout.addWidget(_button("Copy details", self._copy), 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(_button("Close", self._leave), 0, Qt.AlignmentFlag.AlignTop)
        if notice.level is Level.INFO:
            self._leave_soon()

    def _leave_soon(self) -> None:
        timer = QTimer(self)  # deleted with the row
        timer.setSingleShot(True)
        # a bound method is held weakly; a lambda could still be called after the row was deleted
        timer.timeout.connect(self._leave)
        timer.start(round((BRIEF if self.notice.remedy is None else LESS_BRIEF) * 1000))

    def _remedy(self) -> None:
        if self.notice.remedy is not None:
            self.notice.remedy.act()
        self._leave()

    def _leave(self) -> None:
        self._bar.dismiss(self)

    def _copy(self) -> None:
        parts = (f"{self.notice.level.value}: {self.notice.text}", self.notice.details)
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText("\n".join(part for part in parts if part))


def _text(text: str) -> QLabel:
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)  # names of files and cameras are not markup
    label.setWordWrap(True)
    label.setMinimumWidth(1)  # otherwise a long name would widen the window
    label.setContentsMargins(0, _RISE, 0, _RISE)
    label.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
    )
    label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
    return label


def _button(text: str, act: Callable[[], object]) -> QPushButton:
    button = QPushButton(text)
    button.setFlat(True)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the focus with the picture
    button.clicked.connect(lambda: act())
    return button
