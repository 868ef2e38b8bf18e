import time
from fractions import Fraction

import numpy as np
import pytest
from PyQt6.QtCore import QPoint, QPointF, Qt
from PyQt6.QtGui import QColor, QImage, QWheelEvent
from PyQt6.QtWidgets import QApplication

from pipeline.live.events import Closed, Opening
from tests.ui.standin_session import result_of
from ui.view import video_view
from ui.view.cover import MOST_SILENCE
from ui.view.image_buffer import ImageBuffer
from ui.view.video_view import BACKDROP, VideoView

RED, GREEN = (0, 0, 255), (0, 255, 0)  # BGR
MIDDLE = QPoint(320, 240)


@pytest.fixture
def view(qtbot, controller):
    made = VideoView(controller)
    qtbot.addWidget(made)
    made.resize(640, 480)
    with qtbot.waitExposed(made):
        made.show()
    return made


def colour_at(view, point=MIDDLE):
    return view.grab().toImage().pixelColor(point).getRgb()[:3]


def shows(view, session, qtbot, colour=RED, **options):
    """Give a picture, and wait until it is painted."""
    session.gives(result_of(colour, **options))
    qtbot.waitUntil(lambda: colour_at(view) == colour[::-1])


def wheel(view, steps, at=MIDDLE):
    event = QWheelEvent(
        QPointF(at), view.mapToGlobal(QPointF(at)), QPoint(), QPoint(0, 120 * steps),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(view, event)


def test_the_newest_result_is_painted_and_those_before_it_never(view, session, controller, qtbot):
    session.opens()
    for number in range(5):
        session.gives(result_of(GREEN if number == 4 else RED, index=number))
    qtbot.waitUntil(lambda: colour_at(view) == GREEN)

    assert controller.result is not None
    assert controller.result.frame.index == 4
    assert "4 replaced before they were taken" in session.latest.close(complete=True).summary


def test_a_result_is_taken_even_if_it_holds_rows_that_are_apart_or_upside_down(qapp):
    picture = ImageBuffer()
    wide = np.zeros((4, 8, 3), np.uint8)
    wide[:, :4] = RED
    for image in (wide[:, :4], wide[::-1, 3::-1], wide[:, :4].transpose(1, 0, 2)):
        picture.put(image)
        assert picture.size == (4, 4)
        assert picture.image.pixelColor(3, 3) == QColor(255, 0, 0)


def test_pictures_of_one_size_share_a_buffer(qapp):
    picture = ImageBuffer()
    picture.put(np.zeros((48, 64, 3), np.uint8))
    buffer = picture.image.constBits()
    picture.put(np.full((48, 64, 3), 255, np.uint8))

    assert int(picture.image.constBits()) == int(buffer)
    assert picture.image.pixelColor(0, 0) == QColor(255, 255, 255)


def test_the_aspect_is_kept_and_the_rest_is_dark(view, session, qtbot):
    session.opens()
    shows(view, session, qtbot, size=(100, 400))

    assert colour_at(view, QPoint(320, 10)) == BACKDROP.getRgb()[:3]
    assert colour_at(view, QPoint(5, 240)) == RED[::-1]


def test_pixels_that_are_not_square_are_shown_in_their_shape(view, session, qtbot):
    session.opens(pixel_aspect=Fraction(2))
    shows(view, session, qtbot, size=(100, 100))

    assert colour_at(view, QPoint(320, 60)) == BACKDROP.getRgb()[:3]
    assert colour_at(view, QPoint(5, 240)) == RED[::-1]
    assert colour_at(view, QPoint(635, 95)) == RED[::-1]


def test_what_is_lent_to_qt_has_bytes_to_spare_behind_it(qapp, monkeypatch):
    lent = []

    def watched(*arguments):
        lent.extend(one for one in arguments if isinstance(one, memoryview))
        return QImage(*arguments)

    watched.Format = QImage.Format
    made = ImageBuffer()
    monkeypatch.setattr("ui.view.image_buffer.QImage", watched)
    made.put(np.full((5, 7, 3), 9, np.uint8))
    (memory,) = lent
    image = memory.obj

    end_of_all = image.base.__array_interface__["data"][0] + image.base.nbytes
    assert end_of_all - image.__array_interface__["data"][0] - image.nbytes >= 64


def test_age_and_rate_of_what_is_shown_are_told(view, session, controller, qtbot):
    session.opens()
    shows(view, session, qtbot)
    qtbot.waitUntil(lambda: controller.display_fps > 0)

    assert 0 < controller.shown_age < 60

    session.ends()
    assert (controller.display_fps, controller.shown_age) == (0, 0)


def test_a_click_selects_what_is_shown_there_and_one_beside_it_deselects(view, session, qtbot):
    session.opens()
    shows(view, session, qtbot, size=(240, 320))
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(64, 120))
    name, instance = session.asked[-1]
    assert (name, instance.boxes.tolist()) == ("select", [[10, 20, 90, 220]])
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(300, 120))
    assert session.asked[-1] == ("deselect",)


def test_a_click_beside_the_frame_deselects(view, session, qtbot):
    session.opens()
    shows(view, session, qtbot, GREEN, size=(100, 400))
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(320, 10))
    assert session.asked[-1] == ("deselect",)


def test_the_wheel_zooms_about_the_cursor_and_a_drag_moves_the_picture_and_selects_nothing(
    view, session, qtbot
):
    session.opens()
    shows(view, session, qtbot)
    at = QPoint(480, 120)
    before = view.geometry_of_view.to_frame(at.x(), at.y())
    wheel(view, 3, at)
    assert view.geometry_of_view.zoom > 1.9
    assert view.geometry_of_view.to_frame(at.x(), at.y()) == pytest.approx(before)

    asked = list(session.asked)
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=at)
    qtbot.mouseMove(view, at - QPoint(60, -40))
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=at - QPoint(60, -40))
    assert view.geometry_of_view.to_frame(at.x() - 60, at.y() + 40) == pytest.approx(before, abs=1.5)
    assert session.asked == asked

    view.fit()
    assert view.geometry_of_view.zoom == 1


def test_the_keyboard_moves_a_zoomed_picture(view, session, qtbot):
    session.opens()
    shows(view, session, qtbot)
    view.zoom(4)
    before = view.geometry_of_view.centre
    qtbot.keyClick(view, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(view, Qt.Key.Key_Up, Qt.KeyboardModifier.ShiftModifier)

    assert view.geometry_of_view.centre[0] > before[0]
    assert view.geometry_of_view.centre[1] < before[1]


def test_a_double_click_asks_for_the_full_screen(view, qtbot):
    with qtbot.waitSignal(view.full_screen_requested):
        qtbot.mouseDClick(view, Qt.MouseButton.LeftButton, pos=MIDDLE)


def test_a_source_on_its_way_is_named_and_the_picture_of_one_that_ended_is_gone(
    view, session, controller, qtbot
):
    session.opens()
    shows(view, session, qtbot)
    session.ends()
    session.emit(Opening("next.mp4"))

    assert view.words == "Opening next.mp4 …"
    assert view.accessibleDescription() == view.words
    assert not view.has_picture
    assert controller.result is None
    session.emit(Closed("next.mp4"))


def test_why_a_picture_is_hidden_by_the_filter_stands_over_it(view, session, qtbot):
    session.opens()
    session.gives(result_of())
    session.hidden_reason = "the network knows no people"
    shows_words = lambda: view.words == "the network knows no people"  # noqa: E731
    qtbot.waitUntil(shows_words)


@pytest.fixture
def later(monkeypatch):
    """Stops the view's clock, and lets so many seconds pass."""
    now = [time.monotonic()]
    monkeypatch.setattr(video_view, "monotonic", lambda: now[0])

    def passes(seconds):
        now[0] += seconds

    return passes


def test_with_privacy_a_live_picture_is_hidden_once_results_stay_away(
    view, session, controller, qtbot, later
):
    controller.set_display(privacy=True)
    session.opens("0", live=True)
    shows(view, session, qtbot)

    later(MOST_SILENCE + 0.1)
    qtbot.waitUntil(lambda: view.covered)

    assert "Hidden" in view.words
    assert RED[::-1] not in {colour_at(view, QPoint(x, 20)) for x in range(0, 640, 40)}
    assert controller.result is None  # panels show nothing either

    shows(view, session, qtbot, GREEN)
    assert not view.covered


def test_with_privacy_the_picture_of_a_clip_that_plays_on_is_hidden_once_results_stay_away(
    view, session, controller, qtbot, later
):
    controller.set_display(privacy=True)
    session.opens("clip.mp4")
    shows(view, session, qtbot)
    session.playback.position = 0.04  # the next frame goes into a network that hangs
    view._tick()
    assert not view.covered

    later(MOST_SILENCE + 0.1)
    session.playback.position = 0.08
    qtbot.waitUntil(lambda: view.covered)
    assert RED[::-1] not in {colour_at(view, QPoint(x, 20)) for x in range(0, 640, 40)}

    shows(view, session, qtbot, GREEN)
    assert not view.covered


def test_with_privacy_the_picture_of_a_clip_that_is_paused_stays(view, session, controller, qtbot, later):
    controller.set_display(privacy=True)
    session.opens("clip.mp4")
    session.playback.position = 3.0
    shows(view, session, qtbot)
    view._tick()

    later(100)
    view._tick()

    assert not view.covered


def test_a_picture_from_before_privacy_is_hidden_until_one_after_it_comes(
    view, session, controller, qtbot, monkeypatch
):
    session.opens()
    taken = []
    take = session.latest.take
    monkeypatch.setattr(session.latest, "take", lambda: (taken.append(take()), taken[-1])[1])
    old = result_of(RED)
    shows(view, session, qtbot, RED)

    controller.set_display(privacy=True)
    assert view.covered
    session.gives(old)  # it was on its way
    qtbot.waitUntil(lambda: old in taken)
    assert view.covered

    shows(view, session, qtbot, GREEN)
    assert not view.covered
    controller.set_display(privacy=False)
    assert not view.covered


def test_a_click_on_a_hidden_picture_selects_nothing(view, session, controller, qtbot):
    session.opens()
    shows(view, session, qtbot)
    controller.set_display(privacy=True)
    asked = list(session.asked)

    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=MIDDLE)

    assert session.asked == asked


def test_nothing_is_pulled_while_nobody_sees_it(view, session, qtbot):
    session.opens()
    shows(view, session, qtbot)
    view.hide()
    session.gives(result_of(GREEN))
    deadline = time.monotonic() + 0.1
    qtbot.waitUntil(lambda: time.monotonic() > deadline)

    assert session.latest.take() is not None
