"""The window is closed while a file is being annotated."""

import pytest
from PyQt6.QtWidgets import QMessageBox, QPushButton

from pipeline.live.events import Progress, Saved
from ui.window.dialogs import open_dialogs


@pytest.fixture
def question(window, session):
    """What is asked as the window is closed."""
    session.emit(Progress("annotation", 0.5))
    window.close()
    window.close()  # asks once
    (box,) = open_dialogs(window)
    assert isinstance(box, QMessageBox)
    return box


def press(box, words):
    next(button for button in box.findChildren(QPushButton) if words in button.text()).click()


def test_it_asks_and_stays(window, session, question):
    press(question, "Go on")

    assert window.isVisible()
    assert not session.closed


def test_it_cancels_the_annotation_and_ends(window, session, question):
    press(question, "quit")

    assert not window.isVisible()
    assert session.closed


def test_without_an_annotation_it_asks_nothing(window, session):
    session.emit(Progress("annotation", 0.5))
    session.emit(Saved("annotation", (), ""))
    window.close()

    assert session.closed
