"""What stands in notices, what can be done about it, and when it is out of date."""

from dataclasses import replace
from pathlib import Path

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QPushButton

from pipeline.live.events import (
    Closed,
    Failed,
    Loaded,
    Lost,
    Opening,
    RecordingStarted,
    Regained,
    Saved,
    Warned,
)
from tests.ui.standin_session import result_of
from ui.control import notifier
from ui.control.notices import Level
from ui.control.notifier import Notifier

LOADED = Loaded(Path("/w/small.pt"), "torch fp32 on cpu", ("person",), 320, 32)


def texts(window):
    return [notice.text for notice in window.notices.notices]


def button(window, text):
    return next(b for b in window.notices.findChildren(QPushButton) if b.text() == text and b.isVisible())


def fails(window, session, name="bad.mp4"):
    """A source is asked for in the place of what is open, and cannot be opened."""
    window.controller.open(name)
    if window.controller.opened is not None:
        session.ends(window.controller.opened.info.name)
    session.emit(Opening(name))
    session.emit(Failed("source", f"{name}: is no video"))
    session.ends(name)


def test_after_a_file_that_cannot_be_opened_there_is_a_way_back(window, session, qtbot):
    window.controller.open("/clips/good.mp4")
    session.opens("/clips/good.mp4")
    fails(window, session)
    qtbot.mouseClick(button(window, "Back to good.mp4"), Qt.MouseButton.LeftButton)

    assert session.asked[-1] == ("open", "/clips/good.mp4")
    session.opens("/clips/good.mp4")
    assert texts(window) == []


def test_the_way_back_knows_the_password_and_shows_none(window, session, qtbot):
    window.controller.open("rtsp://me:word@host/one")
    session.opens("rtsp://***@host/one", live=True)
    fails(window, session)
    qtbot.mouseClick(button(window, "Back to rtsp://***@host/one"), Qt.MouseButton.LeftButton)

    assert session.asked[-1] == ("open", "rtsp://me:word@host/one")


def test_a_source_that_goes_on_needs_no_way_back_and_the_error_stays(window, session):
    window.controller.open("good.mp4")
    session.opens("good.mp4")
    opened = window.controller.opened
    for event in (Opening("bad.mp4"), Failed("source", "bad.mp4: is no video"), Closed("bad.mp4"), opened):
        session.emit(event)

    assert window.controller.opened is opened
    assert not window.view.opening
    assert [(notice.text, notice.remedy) for notice in window.notices.notices] == [
        ("bad.mp4: is no video", None)
    ]


def test_the_picture_stays_while_another_source_is_being_opened(window, session, qtbot):
    session.opens("good.mp4")
    session.gives(result_of())
    qtbot.waitUntil(lambda: window.view.has_picture)
    session.emit(Opening("next.mp4"))
    assert window.view.has_picture
    assert "next.mp4" in window.view.words

    session.gives(result_of(index=1))
    qtbot.waitUntil(
        lambda: window.controller.result is not None and window.controller.result.frame.index == 1
    )
    assert window.view.opening
    assert window.status.source.text() == "Opening next.mp4 …"


def test_an_error_stays_when_another_network_than_the_wanted_one_was_loaded(window, session):
    window.controller.set_detection(weights="/w/broken.pt")
    session.emit(Failed("network", "broken; the default network is loaded instead"))
    session.emit(LOADED)

    assert len(texts(window)) == 1


def test_there_is_no_way_back_to_a_source_that_broke_off_itself(window, session):
    window.controller.open("good.mp4")
    session.opens("good.mp4")
    session.emit(Failed("source", "good.mp4: is damaged"))

    assert window.notices.notices[0].remedy is None


@pytest.mark.parametrize(
    ("failure", "success"),
    [
        (Failed("network", "broken weights"), LOADED),
        (Failed("snapshot", "the disk is full"), Saved("snapshot", (Path("/x/a.png"),), "")),
    ],
)
def test_an_error_is_out_of_date_once_the_same_thing_has_succeeded(window, session, failure, success):
    session.emit(failure)
    assert failure.message in texts(window)
    session.emit(success)

    assert not [notice for notice in window.notices.notices if notice.level is Level.ERROR]


def test_a_source_that_opens_takes_away_what_was_said_of_the_one_before(window, session):
    session.emit(Lost("camera 0", "it was unplugged"))
    session.opens("clip.mp4")

    assert texts(window) == []


def test_the_end_of_a_recording_is_told_in_few_words_and_leads_to_its_folder(
    window, session, qtbot, monkeypatch, tmp_path
):
    shown = []
    monkeypatch.setattr(notifier, "show_folder", shown.append)
    paths = (tmp_path / "a.mp4", tmp_path / "a.jsonl")
    summary = "27 frames, 0.000 to 2.600 s; 27 frames, 0.000 to 2.600 s, 81 detections"
    session.emit(Saved("recording", paths, summary))

    assert texts(window) == [f"Recording saved: {paths[0]}, a.jsonl (27 frames, 0.000 to 2.600 s)"]
    qtbot.mouseClick(button(window, "Open folder"), Qt.MouseButton.LeftButton)
    assert shown == [tmp_path]


def test_the_tool_that_records_says_that_it_stops_meanwhile(window, session):
    session.opens()
    record = window.menus.actions["record"]
    tool = window.menus.tools.widgetForAction(record)
    record.trigger()
    assert (tool.text(), tool.accessibleName()) == ("Stop", "Stop")

    record.trigger()
    assert (tool.text(), tool.accessibleName()) == ("Record", "Record")


def test_classes_that_the_weights_lack_are_told_once_for_each_choice(window, session):
    controller = window.controller
    controller.set_detection(classes=("person", "dog"))
    assert texts(window) == []
    session.emit(LOADED)
    assert texts(window) == ["small.pt: these weights do not know dog; they detect person"]
    window.notices.settle(notifier.CLASSES)
    controller.set_detection(score_threshold=0.5)
    session.emit(LOADED)
    assert texts(window) == [], "it was told already"


def test_where_the_weights_know_no_chosen_class_it_is_told_that_they_look_for_all(window, session):
    window.controller.set_detection(classes=("cat", "dog"))
    session.emit(LOADED)
    assert texts(window) == [
        "small.pt: these weights do not know cat, dog; they detect all classes that they know"
    ]
    window.controller.set_detection(classes=None)
    assert texts(window) == []


def test_weights_that_know_all_chosen_classes_take_the_notice_away(window, session):
    window.controller.set_detection(classes=("person", "dog"))
    session.emit(LOADED)
    session.emit(replace(LOADED, class_names=("dog", "person")))
    assert texts(window) == []
    assert window.controller.detection.classes == ("person", "dog")


@pytest.mark.parametrize(
    ("event", "level", "told"),
    [
        (Lost("camera 0", "it was unplugged"), Level.WARNING, "it was unplugged"),
        (Regained("camera 0"), Level.INFO, "back"),
        (Warned("clip.mp4", "3 packets are damaged"), Level.WARNING, "clip.mp4: 3 packets are damaged"),
        (RecordingStarted((Path("/x/a.mp4"),)), Level.INFO, "a.mp4"),
        (Saved("snapshot", (Path("/x/a.png"),), ""), Level.INFO, "/x/a.png"),
        (Saved("recording", (Path("/x/a.mp4"),), "9 frames", ("sound is lost",)), Level.WARNING, "9 frames"),
        (Failed("source", "no such file", "a traceback"), Level.ERROR, "no such file"),
    ],
)
def test_what_happens_is_told_in_words(controller, session, event, level, told):
    notices = []
    Notifier(controller, controller)
    controller.notice.connect(notices.append)
    session.emit(event)

    assert notices[0].level is level
    assert told in notices[0].text
