"""Answers a modal dialog, as somebody does who sits before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication, QDialog, QFileDialog, QLineEdit

PERIOD = 20  # milliseconds
MOST_TRIES = 250


@contextmanager
def answered(kind: type[QDialog], answer: Callable[[Any], None]) -> Iterator[None]:
    """Wait for a dialog of this kind and `answer` it: again and again until it closes, for one that still
    looks around may refuse. Fails when there was none, and when it stays."""
    tries = 0
    timer = QTimer()

    def look() -> None:
        nonlocal tries
        dialog = QApplication.activeModalWidget()
        if isinstance(dialog, QDialog):
            tries += 1
            is_expected = isinstance(dialog, kind) and tries < MOST_TRIES
            answer(dialog) if is_expected else dialog.reject()

    timer.timeout.connect(look)
    timer.start(PERIOD)
    yield
    for _ in range(2 * MOST_TRIES):
        if tries and not isinstance(QApplication.activeModalWidget(), QDialog):
            break
        QTest.qWait(PERIOD)
    timer.stop()
    assert 0 < tries < MOST_TRIES, f"a {kind.__name__} was answered {tries} times"


def choose_file(path: object) -> Callable[[Any], None]:
    """The answer that chooses this file or folder."""

    def answer(dialog: QFileDialog) -> None:
        field = dialog.findChild(QLineEdit, "fileNameEdit")
        assert field is not None
        field.setText(str(path))
        QTest.keyClick(field, Qt.Key.Key_Return)

    return answer
