import os
import subprocess
import sys

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QLabel, QPushButton

from tests.source_tree import ROOT
from ui.control import notices
from ui.control.notices import MOST_SHOWN, Level, Notice, NoticeBar

# without an event loop that is executed Qt deletes nothing later: the row is there when its time comes
REPLACED = """
import gc
from PyQt6.QtWidgets import QApplication
from ui.control import notices
app = QApplication([])
notices.BRIEF = 0.02
bar = notices.NoticeBar()
for _ in range(2):
    bar.show_notice(notices.Notice(notices.Level.INFO, "saved", topic="snapshot"))
    gc.collect()
while bar.notices:
    app.processEvents()
"""


@pytest.fixture
def bar(qtbot):
    made = NoticeBar()
    qtbot.addWidget(made)
    return made


def button(bar, text):
    return next(b for b in bar.findChildren(QPushButton) if b.text() == text and not b.isHidden())


def test_there_is_nothing_to_see_without_a_notice(bar):
    assert bar.isHidden()
    bar.show_notice(Notice(Level.INFO, "saved"))
    assert not bar.isHidden()
    bar.clear()
    assert bar.isHidden()
    assert bar.notices == ()


@pytest.mark.parametrize("level", Level)
def test_how_grave_it_is_stands_there_as_a_word(bar, level):
    bar.show_notice(Notice(level, "<b>text</b>"))

    labels = [label.text() for label in bar.findChildren(QLabel)]
    assert labels == [level.value, "<b>text</b>"]
    assert bar.findChildren(QLabel)[1].textFormat() is Qt.TextFormat.PlainText


def test_a_later_notice_of_the_same_topic_takes_the_place_of_the_one_before(bar):
    first, other, later = (Notice(Level.ERROR, text, topic=topic) for text, topic in
                           (("lost", "source"), ("full", "recording"), ("back", "source")))  # fmt: skip
    for notice in (first, other, later):
        bar.show_notice(notice)

    assert bar.notices == (other, later)


def test_of_too_many_the_oldest_go(bar):
    for number in range(MOST_SHOWN + 2):
        bar.show_notice(Notice(Level.WARNING, str(number)))

    assert [notice.text for notice in bar.notices] == ["2", "3", "4", "5", "6"]


def test_details_are_copied_by_the_mouse_and_a_notice_is_closed_by_the_keyboard(bar, qtbot):
    bar.show_notice(Notice(Level.ERROR, "it broke", "a traceback"))
    bar.show()

    qtbot.mouseClick(button(bar, "Copy details"), Qt.MouseButton.LeftButton)
    clipboard = QGuiApplication.clipboard()
    assert clipboard is not None
    assert clipboard.text() == "Error: it broke\na traceback"

    qtbot.keyClick(button(bar, "Close"), Qt.Key.Key_Space)
    assert bar.notices == ()


def test_a_note_goes_by_itself_and_an_error_stays(bar, qtbot, monkeypatch):
    monkeypatch.setattr(notices, "BRIEF", 0.01)
    bar.show_notice(Notice(Level.ERROR, "broken"))
    bar.show_notice(Notice(Level.INFO, "saved"))

    qtbot.waitUntil(lambda: len(bar.notices) == 1)

    assert bar.notices[0].text == "broken"


def test_the_time_of_a_note_that_was_replaced_comes_without_harm():
    done = subprocess.run(
        [sys.executable, "-c", REPLACED], cwd=ROOT, env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
