"""What is compared, the line between both sides, and the stabiliser's key."""

from __future__ import annotations

import dataclasses

import pytest
from PyQt6.QtCore import QPoint, Qt

from pipeline.live.network.comparison import ComparisonStatus
from pipeline.settings import ComparisonSettings, DetectionSettings
from pipeline.stability.pair_score import RunningScore
from tests.ui.standin_session import result_of
from ui.control.compare_text import PRIVATE, differing, score_text, status_text

LEFT = DetectionSettings()
SCORE = RunningScore(9, 1.5, 0.0661, None, 1, 2, 0.5)


def shows_both(window, session, qtbot):
    """A picture with two sides is shown."""
    session.opens()
    session.comparison = ComparisonStatus("on", LEFT, dataclasses.replace(LEFT, stabilise="light"))
    session.scores = (SCORE, SCORE)
    session.gives(dataclasses.replace(result_of(), other=result_of().detections))
    qtbot.waitUntil(lambda: window.controller.shows_two_sides)
    window.menus.refresh()


def line(view):
    """Where the line is in the view."""
    left, top, width, height = view.geometry_of_view.target
    return QPoint(round(left + view._controller.comparer.at * width), round(top + height / 2))


def test_the_key_of_the_stabiliser_goes_round(window, controller, session, qtbot):
    strengths = []
    for _ in range(3):
        qtbot.keyClick(window.view, Qt.Key.Key_S)
        strengths.append(controller.detection.stabilise)
    assert strengths == ["light", "strong", "off"]
    assert session.asked[-1] == ("detect", DetectionSettings())


def test_the_key_of_the_comparison_begins_and_ends_it(window, session, qtbot):
    for on in (True, False):
        qtbot.keyClick(window.view, Qt.Key.Key_C)
        assert session.asked[-1] == ("compare", ComparisonSettings(on=on))
        assert window.menus.actions["compare"].isChecked() is on


def test_whoever_wants_to_compare_with_privacy_on_is_told_why_not(window, controller):
    controller.set_display(privacy=True)
    controller.comparer.toggle()
    assert PRIVATE in [notice.text for notice in window.notices.notices]


def test_privacy_that_comes_while_comparing_is_told_and_the_notice_goes_with_it(window, controller):
    controller.comparer.toggle()
    controller.set_display(privacy=True)
    assert PRIVATE in [notice.text for notice in window.notices.notices]
    controller.set_display(opacity=0.3)
    assert PRIVATE in [notice.text for notice in window.notices.notices]
    controller.set_display(privacy=False)
    assert PRIVATE not in [notice.text for notice in window.notices.notices]


def test_the_line_is_dragged_by_the_mouse_and_nothing_is_selected_by_that(window, session, qtbot):
    shows_both(window, session, qtbot)
    view, comparer = window.view, window.controller.comparer
    to = line(view) - QPoint(round(view.geometry_of_view.target[2] / 4), 30)
    qtbot.mouseMove(view, line(view))
    qtbot.waitUntil(lambda: view.cursor().shape() is Qt.CursorShape.SplitHCursor)
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=line(view))
    qtbot.mouseMove(view, to)
    qtbot.waitUntil(lambda: abs(comparer.at - 0.25) < 0.01)
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=to)
    asked = [what for what, *_ in session.asked]
    assert "split" in asked
    assert not {"select", "deselect"} & set(asked)
    qtbot.mouseMove(view, to + QPoint(80, 0))
    qtbot.waitUntil(lambda: view.cursor().shape() is not Qt.CursorShape.SplitHCursor)
    assert abs(comparer.at - 0.25) < 0.01, "it was let go"


def test_beside_the_line_a_click_selects_as_ever(window, session, qtbot):
    shows_both(window, session, qtbot)
    left, top, width, height = window.view.geometry_of_view.target
    qtbot.mouseClick(
        window.view, Qt.MouseButton.LeftButton, pos=QPoint(round(left + 0.2 * width), round(top + height / 2))
    )
    assert session.asked[-1][0] == "select"


def test_the_line_is_moved_by_keys_as_far_as_the_picture_goes(window, controller, session, qtbot):
    shows_both(window, session, qtbot)
    qtbot.keyClick(window.view, Qt.Key.Key_Left, Qt.KeyboardModifier.ControlModifier)
    assert session.asked[-1] == ("split", pytest.approx(0.45))
    for _ in range(30):
        qtbot.keyClick(window.view, Qt.Key.Key_Right, Qt.KeyboardModifier.ControlModifier)
    assert session.asked[-1] == ("split", 1.0)
    assert controller.comparer.at == 1.0


def test_without_two_sides_there_is_no_line(window, session, qtbot):
    session.opens()
    session.gives(result_of())
    qtbot.waitUntil(lambda: window.view.has_picture)
    window.menus.refresh()
    assert not window.menus.actions["split_left"].isEnabled()
    assert not window.view._line.is_near(line(window.view).toPointF(), window.view.geometry_of_view)


def test_captions_and_handle_are_painted_over_the_picture_alone(window, session, qtbot):
    session.opens()
    session.gives(result_of())
    qtbot.waitUntil(lambda: window.view.has_picture)
    plain = window.view.grab().toImage()
    shows_both(window, session, qtbot)
    both = window.view.grab().toImage()
    assert both.pixelColor(line(window.view)) != plain.pixelColor(line(window.view))
    left, top, width, height = (round(value) for value in window.view.geometry_of_view.target)
    for x in (left + 20, left + width - 20):
        assert both.pixelColor(x, top + height - 20) != plain.pixelColor(x, top + height - 20)
    assert both.pixelColor(left + width // 4, top + 20) == plain.pixelColor(left + width // 4, top + 20)


def test_sides_are_told_by_what_they_differ_in():
    right = dataclasses.replace(LEFT, stabilise="light", weights="/x/own.pt")
    assert differing(LEFT, right) == ("stabiliser off, livemask_s", "stabiliser light, own.pt")
    assert differing(LEFT, LEFT)[1] == "as A"


def test_a_score_is_told_in_one_line_and_what_is_not_known_is_no_number():
    assert score_text(SCORE) == "jitter 0.066 · boundary – · 1 gap · 2 id changes · coverage 50%"
    assert "measured" in score_text(None)


@pytest.mark.parametrize("state", ["off", "waiting", "private", "loading"])
def test_it_is_said_why_there_is_no_comparison_yet(state):
    assert status_text(ComparisonStatus(state), wanted=True)
    assert status_text(ComparisonStatus(state), wanted=False) == ""


def test_what_fails_is_said_and_sides_that_are_the_same_too():
    assert "no such file" in status_text(ComparisonStatus("failed", problem="no such file"), wanted=True)
    assert "the same" in status_text(ComparisonStatus("on", LEFT, LEFT), wanted=True)
    other = dataclasses.replace(LEFT, nms="exact")
    assert status_text(ComparisonStatus("on", LEFT, other), wanted=True) == ""
