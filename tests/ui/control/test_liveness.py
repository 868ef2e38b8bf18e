"""A live source that stalls: its picture grows old, and the window says so."""

from time import monotonic

import pytest

from pipeline.live.events import Lost, Regained
from pipeline.metrics.performance import PerformanceMeter, as_text
from pipeline.metrics.run import Metrics
from tests.ui.standin_session import result_of
from ui.control import liveness
from ui.control.liveness import Liveness
from ui.view.video_view import VideoView
from ui.window.status import StatusBar


@pytest.fixture(autouse=True)
def soon_silent(monkeypatch):
    monkeypatch.setattr(liveness, "SILENCE", 0.05)


@pytest.fixture
def view(qtbot, controller):
    made = VideoView(controller)
    qtbot.addWidget(made)
    with qtbot.waitExposed(made):
        made.show()
    return made


@pytest.fixture
def bar(qtbot, controller):
    made = StatusBar(controller)
    qtbot.addWidget(made)
    return made


def test_the_age_of_a_picture_that_none_follows_grows_with_the_clock(view, bar, session, controller, qtbot):
    session.opens("rtsp://camera/live", live=True)
    session.gives(result_of())
    qtbot.waitUntil(lambda: controller.shown_age > 0.3)
    bar.refresh()
    assert bar.state.text().startswith("No picture for ")
    assert view.words.startswith("No new picture: this picture is ")

    captured = session.latest.peek().frame.captured_at
    qtbot.waitUntil(lambda: controller.shown_age > 0.6)
    assert monotonic() - captured - controller.shown_age < 0.3
    seen = PerformanceMeter().measure(0.0, Metrics().snapshot(), (), 0.0, controller.shown_age)
    assert f"age of the shown frame: {1000 * controller.shown_age:.0f} ms" in as_text(seen)


def test_a_new_picture_ends_the_silence(view, bar, session, controller, qtbot, monkeypatch):
    session.opens("rtsp://camera/live", live=True)
    session.gives(result_of())
    qtbot.waitUntil(lambda: bool(view.words))
    monkeypatch.setattr(liveness, "SILENCE", 60.0)
    session.gives(result_of())
    qtbot.waitUntil(lambda: view.words == "")
    bar.refresh()
    assert bar.state.text() == "Live"


def test_a_source_that_is_lost_is_said_to_be_tried_again_until_it_is_back(
    view, bar, session, controller, qtbot
):
    session.opens("rtsp://camera/live", live=True)
    session.gives(result_of())
    session.emit(Lost("rtsp://camera/live", "no data within 5 s"))
    bar.refresh()
    assert bar.state.text() == "Lost, reconnecting"
    qtbot.waitUntil(lambda: view.words.startswith("Lost, reconnecting: this picture is "))

    session.emit(Regained("rtsp://camera/live"))
    assert not controller.liveness.lost


def test_another_source_is_not_lost_because_one_was(view, bar, session, controller):
    session.opens("rtsp://camera/live", live=True)
    session.emit(Lost("rtsp://camera/live", "no data within 5 s"))
    session.emit(Lost("rtsp://other/live", "no data"))
    session.opens("rtsp://other/live", live=True)
    bar.refresh()
    assert bar.state.text() == "Live"


def test_a_video_that_is_paused_may_be_as_old_as_it_likes(view, bar, session, controller, qtbot):
    session.opens("clip.mp4")
    session.gives(result_of())
    qtbot.waitUntil(lambda: controller.display_fps > 0)
    session.playback.pause()
    age = controller.shown_age
    view._tick()
    bar.refresh()
    assert controller.liveness.age(monotonic() + 100) == age
    assert (controller.shown_age, bar.state.text(), view.words) == (age, "Paused", "")
    assert isinstance(controller.liveness, Liveness)
