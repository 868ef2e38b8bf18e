import pytest
from PyQt6.QtCore import QPoint, Qt

from ui.control.times import clock, rate
from ui.window.seek_bar import SPEEDS, SeekBar


@pytest.fixture
def bar(qtbot, controller):
    made = SeekBar(controller)
    qtbot.addWidget(made)
    made.resize(800, 40)
    return made


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00.0"), (65.37, "1:05.3"), (59.99, "0:59.9"), (3725, "1:02:05.0"), (-1, "0:00.0"), (None, "–:–")],
)
def test_times_are_read_as_clocks_show_them(seconds, text):
    assert clock(seconds) == text


def test_no_rate_is_a_dash():
    assert (rate(0.0), rate(29.97)) == ("– fps", "30.0 fps")


def test_only_what_can_be_played_has_a_bar(bar, session):
    assert bar.isHidden()
    session.opens(live=True)
    assert bar.isHidden()
    session.opens("clip.mp4")
    assert not bar.isHidden()
    session.ends("clip.mp4")
    assert bar.isHidden()


def test_the_button_says_what_it_will_do(bar, session, qtbot):
    session.opens()
    assert bar.play.accessibleName() == "Pause"

    qtbot.mouseClick(bar.play, Qt.MouseButton.LeftButton)
    bar.refresh()

    assert not session.playback.playing
    assert bar.play.accessibleName() == "Play"


def test_time_and_handle_follow_the_playback_without_seeking(bar, session):
    session.opens()
    session.playback.position = 2.5
    bar.refresh()

    assert bar.time.text() == "0:02.5 / 0:10.0"
    assert bar.slider.value() == 2500
    assert session.playback.position == 2.5


def test_a_click_goes_there_and_keys_move_on_from_there(bar, session, qtbot):
    session.opens()
    bar.show()
    slider = bar.slider
    qtbot.mouseClick(slider, Qt.MouseButton.LeftButton, pos=QPoint(slider.width() // 2, slider.height() // 2))
    assert session.playback.position == pytest.approx(5.0, abs=0.2)

    before = session.playback.position
    qtbot.keyClick(slider, Qt.Key.Key_Right)
    assert session.playback.position == pytest.approx(before + 1.0)


def test_the_handle_stays_where_it_was_put_until_the_source_is_there(bar, session):
    session.opens()
    bar.slider.setValue(8000)
    session.playback.position = 1.0  # the source is still on its way
    bar.refresh()
    assert bar.slider.value() == 8000

    session.playback.position = 8.02
    bar.refresh()
    assert bar.slider.value() == 8020


def test_one_frame_back_and_on_pause(bar, session, qtbot):
    session.opens()
    qtbot.mouseClick(bar.on, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(bar.on, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(bar.back, Qt.MouseButton.LeftButton)

    assert session.playback.position == pytest.approx(0.04)
    assert not session.playback.playing


def test_loop_and_speed_are_set_by_the_keyboard_and_shown_as_they_are(bar, session, qtbot):
    session.opens()
    bar.show()
    qtbot.keyClick(bar.loop, Qt.Key.Key_Space)
    qtbot.keyClick(bar.speed, Qt.Key.Key_Down)
    assert session.playback.loop
    assert session.playback.speed == SPEEDS[SPEEDS.index(1.0) + 1]

    session.opens("another.mp4")
    bar.refresh()
    assert not bar.loop.isChecked()
    assert bar.speed.currentText() == "1×"


def test_what_cannot_be_sought_shows_its_time_alone(bar, session):
    session.opens()
    session.playback.seekable = False
    bar.refresh()

    assert not bar.slider.isEnabled()
