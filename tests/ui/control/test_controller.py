import threading

import pytest

from pipeline.live.events import Closed, Event, Failed, Opening
from pipeline.settings import DetectionSettings, DisplaySettings
from pipeline.sources import SourceOptions
from tests.ui.standin_session import StandInSession, result_of
from ui.control.bridge import Bridge
from ui.control.controller import Controller
from ui.control.settings import MOST_RECENT, WindowSettings


@pytest.fixture
def notices(controller):
    told = []
    controller.notice.connect(told.append)
    return told


def test_every_kind_of_event_has_a_signal(qapp):
    bridge = Bridge()

    assert set(bridge._signals) == set(Event.__args__)


def test_an_event_of_another_thread_arrives_in_the_windows_thread(qtbot):
    bridge = Bridge()
    arrived = []
    bridge.opening.connect(lambda event: arrived.append((event, threading.current_thread())))
    thread = threading.Thread(target=bridge.deliver, args=(Opening("clip.mp4"),))
    thread.start()
    thread.join()
    assert not arrived  # queued, or it would have run in the other thread

    qtbot.waitUntil(lambda: bool(arrived))

    assert arrived == [(Opening("clip.mp4"), threading.main_thread())]


def test_settings_go_to_the_session_and_to_who_listens_but_only_when_they_change(controller, session, qtbot):
    with qtbot.waitSignal(controller.display_changed) as told:
        controller.set_display(masks=False)
    with qtbot.assertNotEmitted(controller.display_changed):
        controller.set_display(masks=False)
    controller.set_detection(score_threshold=0.6)

    assert told.args == [DisplaySettings(masks=False)]
    assert session.asked[2:] == [
        ("display", DisplaySettings(masks=False)),
        ("detect", DetectionSettings(score_threshold=0.6)),
    ]
    assert controller.settings.display == DisplaySettings(masks=False)


def test_what_was_opened_is_remembered_once_newest_first_and_not_for_ever(controller, session):
    for name in [*(f"{number}.mp4" for number in range(MOST_RECENT + 5)), "9.mp4"]:
        controller.open(name)
        session.opens(name)

    recent = controller.settings.recent
    assert recent[:2] == ("9.mp4", f"{MOST_RECENT + 4}.mp4")
    assert len(recent) == len(set(recent)) == MOST_RECENT


def test_a_recent_address_is_kept_without_its_password_but_opened_with_it_while_that_is_known(
    controller, session
):
    controller.open("rtsp://me:word@host/one")
    session.opens("rtsp://***@host/one", live=True)
    shown = controller.settings.recent[0]

    controller.open(shown)

    assert "word" not in shown
    assert session.asked[-1] == ("open", "rtsp://me:word@host/one")


def test_without_its_password_an_address_is_not_tried(qapp, notices, controller, session):
    controller.open("rtsp://***@host/one")

    assert session.asked[-1][0] != "open"
    assert "password" in notices[0].text


def test_a_camera_mode_that_was_chosen_is_asked_for(controller, session):
    controller.remember(camera_mode="1280x720@30")

    controller.open("0")

    assert session.asked[-1] == ("open", "0", SourceOptions(width=1280, height=720, camera_rate=30.0))


def test_the_end_of_a_source_that_was_replaced_is_not_the_end_of_the_present_one(controller, session):
    session.opens("one.mp4")
    session.opens("two.mp4")
    session.emit(Closed("one.mp4"))
    assert controller.opened is not None

    session.emit(Closed("two.mp4"))
    assert controller.opened is None


def test_a_folder_that_is_called_otherwise_once_it_is_open_is_closed_all_the_same(controller, session):
    session.opens("frames (12 images)", asked="/clips/frames")
    session.emit(Closed("/clips/frames"))

    assert controller.opened is None


def test_what_could_not_be_opened_is_not_remembered(controller, session):
    controller.open("gone.mp4")
    session.emit(Opening("gone.mp4"))
    session.emit(Failed("source", "no such file"))
    session.ends("gone.mp4")

    assert controller.settings.recent == ()


def test_playback_without_a_source_does_nothing(controller):
    controller.toggle_play()
    controller.step(1)
    controller.seek(3.0)


def test_playing_stepping_and_seeking_reach_what_plays(controller, session):
    session.opens()
    controller.toggle_play()
    assert not session.playback.playing

    controller.seek(3.0)
    controller.step(-1)

    assert session.playback.position == pytest.approx(2.96)


def test_prototypes_are_asked_for_as_long_as_anybody_looks_at_them(controller, session):
    for wanted in (True, True, False, False, False):
        controller.inspect(wanted)

    assert [asked[1] for asked in session.asked[2:]] == [True, True, True, False, False]


def test_recording_is_begun_and_ended_with_the_output_folder_that_was_chosen(controller, session, tmp_path):
    controller.remember(output=str(tmp_path), record_json=False)

    controller.toggle_recording()
    controller.toggle_recording()

    assert session.asked[-2:] == [("record", tmp_path, False), ("stop_recording",)]


def test_the_next_instance_is_that_on_the_right(controller, session):
    controller.select_next(1)
    assert session.asked[-1][0] != "select"

    controller.result = result_of(selected=0)
    controller.select_next(1)

    name, instance = session.asked[-1]
    assert name == "select"
    assert instance.boxes.tolist() == [[200, 30, 300, 230]]


def test_a_session_that_leaves_a_thread_behind_is_told_of(qapp):
    class Stuck(StandInSession):
        def close(self, timeout: float = 2.0) -> bool:
            return False

    assert Controller(WindowSettings(), make_session=Stuck).close() is False
