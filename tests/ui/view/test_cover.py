import pytest
from PyQt6.QtCore import Qt

from tests.ui.standin_session import result_of
from ui.view import cover
from ui.view.cover import MOST_SILENCE, PrivacyCover


@pytest.mark.parametrize(
    ("privacy", "silent", "is_open", "is_live", "hidden"),
    [
        (False, 99, False, True, False),
        (True, 0.5, True, True, False),
        (True, MOST_SILENCE + 0.1, True, True, True),
        (True, 99, True, False, False),  # it is paused, and the picture was filtered
        (True, 0.5, False, True, True),
    ],
)
def test_when_the_whole_picture_is_hidden(privacy, silent, is_open, is_live, hidden):
    judge = PrivacyCover(privacy)
    judge.result_came(100.0, 99.9)

    assert bool(judge.reason(100.0 + silent, is_open, is_live)) is hidden


def test_privacy_that_is_on_already_hides_nothing_when_something_else_changes():
    judge = PrivacyCover(True)
    judge.result_came(100.0, 99.9)
    judge.privacy_set(True, 100.1)

    assert judge.reason(100.2, True, False) == ""


def test_a_result_is_due_once_the_playing_has_gone_on_and_not_again_with_every_frame():
    judge = PrivacyCover(True)
    judge.played_to(100.0, 3.0)
    judge.result_came(100.0, 100.0)
    assert judge.reason(200.0, True, False) == ""

    for frame in range(100):  # each of them late
        judge.played_to(200.0 + frame / 25, 3.0 + (1 + frame) / 25)
    assert judge.reason(200.0 + MOST_SILENCE - 0.1, True, False) == ""
    assert judge.reason(200.0 + MOST_SILENCE + 0.1, True, False) != ""

    judge.result_came(204.0, 203.9)
    assert judge.reason(300.0, True, False) == ""


def test_in_full_screen_the_picture_says_that_privacy_hides_it_when_results_stay_away(
    window, controller, session, qtbot, monkeypatch
):
    monkeypatch.setattr(cover, "MOST_SILENCE", 0.05)
    controller.set_display(privacy=True)
    session.opens("clip.mp4")
    window.toggle_full_screen()
    session.gives(result_of())
    qtbot.waitUntil(lambda: window.view.has_picture)
    session.playback.position = 0.04
    qtbot.waitUntil(lambda: window.view.covered)

    assert "Hidden" in window.view.words
    qtbot.keyClick(window.view, Qt.Key.Key_Escape)
    assert not window.isFullScreen()
    assert window.view.covered
