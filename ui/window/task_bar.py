"""Progress bars of background tasks, each with a button that cancels it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from pipeline.live.events import Failed, Progress, Saved

_STEPS = 1000


class TaskBar(QWidget):
    """Show a row for each running task, until it is saved or has failed."""

    def __init__(self, cancel: Mapping[str, Callable[[], None]], parent: QWidget | None = None) -> None:
        """cancel: functions that cancel a task, by its name; a task without one cannot be cancelled."""
        super().__init__(parent)
        self.setAccessibleName("Tasks")
        self.setVisible(False)
        self._cancel = cancel
        self._rows: dict[str, _Row] = {}
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(8, 6, 8, 6)
        self._layout.setSpacing(4)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of the running tasks."""
        return tuple(self._rows)

    def progress(self, event: Progress) -> None:
        """Show the progress of a task."""
        if event.task not in self._rows:
            row = _Row(event.task, self._cancel.get(event.task), self)
            self._rows[event.task] = row
            self._layout.addWidget(row)
        self._rows[event.task].show_progress(event)
        self.setVisible(True)

    def ended(self, event: Saved | Failed) -> None:
        """Remove the row of a task."""
        row = self._rows.pop(event.task, None)
        if row is not None:
            self._layout.removeWidget(row)
            row.hide()
            row.deleteLater()
        self.setVisible(bool(self._rows))


class _Row(QWidget):
    def __init__(self, task: str, cancel: Callable[[], None] | None, parent: QWidget) -> None:
        super().__init__(parent)
        self._bar = QProgressBar()
        self._bar.setAccessibleName(task.capitalize())
        self._bar.setFixedWidth(220)
        self._bar.setTextVisible(False)
        self._text = QLabel()
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2, 0, 0, 0)
        layout.setSpacing(10)
        layout.addWidget(QLabel(task.capitalize()))
        layout.addWidget(self._bar)
        layout.addWidget(self._text, 1)
        if cancel is not None:
            button = QPushButton("Cancel")
            button.setAccessibleName(f"Cancel the {task}")
            button.clicked.connect(lambda: cancel())
            layout.addWidget(button)

    def show_progress(self, event: Progress) -> None:
        known = event.fraction is not None
        self._bar.setRange(0, _STEPS if known else 0)
        self._bar.setValue(round((event.fraction or 0.0) * _STEPS))
        percent = f"{event.fraction:.0%}" if event.fraction is not None else ""
        self._text.setText("  ".join(part for part in (percent, event.detail) if part))
