"""The panel of where the picture comes from."""

from __future__ import annotations

import threading
from fractions import Fraction

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QComboBox, QLineEdit, QListWidget, QPushButton

from pipeline.live.events import Closed, Failed, Lost, Opening, Regained
from pipeline.sources.addresses import redacted
from pipeline.sources.base import SourceInfo
from pipeline.sources.cameras.listing import CameraInfo
from ui.control.notices import Level
from ui.panels.cameras import LOOKING, NONE_FOUND, CameraSearch
from ui.panels.source import NOTHING_OPEN, SourcePanel, source_text
from ui.panels.widgets import WrappedLabel

CAMERAS = (CameraInfo(0, "Twin"), CameraInfo(1, "Integrated"), CameraInfo(2, "Twin", "/dev/video2"))


@pytest.fixture
def show(controller, qtbot):
    def make(find=lambda: CAMERAS):
        made = SourcePanel(controller, find=find)
        qtbot.addWidget(made)
        made.show()
        return made

    return make


def named(panel, kind, name):
    return next(one for one in panel.findChildren(kind) if one.accessibleName() == name)


def button(panel, text):
    return next(one for one in panel.findChildren(QPushButton) if one.text() == text)


def said(panel, name):
    return named(panel, WrappedLabel, name).words


def opened(session):
    return [one[1] for one in session.asked if one[0] == "open"]


def click(qtbot, widget):
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)


def test_cameras_are_listed_by_name_once_the_panel_is_seen(show, qtbot):
    panel = show()
    cameras = named(panel, QComboBox, "Camera")
    qtbot.waitUntil(lambda: cameras.count() == 3)
    assert [cameras.itemText(i) for i in range(3)] == ["Twin", "Integrated", "Twin"]


def test_a_camera_is_opened_by_its_name_and_one_of_two_alike_by_its_number(show, session, qtbot):
    panel = show()
    cameras = named(panel, QComboBox, "Camera")
    qtbot.waitUntil(lambda: cameras.count() == 3)
    click(qtbot, button(panel, "Open camera"))
    qtbot.keyClick(cameras, Qt.Key.Key_Down)
    click(qtbot, button(panel, "Open camera"))
    assert opened(session) == ["0", "camera:Integrated"]


def test_a_search_that_takes_long_does_not_keep_the_window_waiting(show, qtbot):
    go_on = threading.Event()
    panel = show(lambda: CAMERAS if go_on.wait(10) else ())
    assert "Looking for cameras" in said(panel, "Cameras")
    assert not button(panel, "Refresh").isEnabled()
    go_on.set()
    qtbot.waitUntil(button(panel, "Refresh").isEnabled)
    assert named(panel, QComboBox, "Camera").count() == 3


def test_cameras_that_are_plugged_in_later_are_found_by_refresh_and_the_chosen_one_stays(show, qtbot):
    there = [CAMERAS[1]]
    panel = show(lambda: tuple(there))
    cameras = named(panel, QComboBox, "Camera")
    qtbot.waitUntil(lambda: cameras.count() == 1)
    there.insert(0, CameraInfo(0, "New"))
    click(qtbot, button(panel, "Refresh"))
    qtbot.waitUntil(lambda: cameras.count() == 2)
    assert cameras.currentText() == "Integrated"


def test_without_a_camera_it_says_what_to_do(show, qtbot):
    panel = show(tuple)
    qtbot.waitUntil(lambda: said(panel, "Cameras") == NONE_FOUND)
    assert not button(panel, "Open camera").isEnabled()


def test_a_search_that_fails_is_told_and_can_be_tried_again(show, qtbot):
    def fail():
        raise OSError("no permission")

    panel = show(fail)
    qtbot.waitUntil(lambda: "no permission" in said(panel, "Cameras"))
    assert button(panel, "Refresh").isEnabled()


def test_the_mode_asked_of_cameras_is_remembered(show, controller, qtbot):
    panel = show()
    mode = named(panel, QComboBox, "Mode asked of the camera")
    qtbot.keyClick(mode, Qt.Key.Key_Down)
    assert controller.settings.camera_mode == "640x480@30"


def test_a_mode_of_an_earlier_start_is_shown_though_it_is_none_of_the_list(show, controller):
    controller.remember(camera_mode="1024x576@25")
    panel = show()
    assert named(panel, QComboBox, "Mode asked of the camera").currentText() == "1024x576@25"


@pytest.mark.parametrize(
    ("text", "asked"), [("Open file…", "file_requested"), ("Open folder…", "folder_requested")]
)
def test_the_window_is_asked_for_its_dialogs(show, controller, qtbot, text, asked):
    panel = show()
    with qtbot.waitSignal(getattr(controller, asked)):
        click(qtbot, button(panel, text))


def test_an_address_is_opened_by_enter_and_its_password_does_not_stay_once_it_is_open(show, session, qtbot):
    panel = show()
    field = named(panel, QLineEdit, "Network address")
    qtbot.keyClicks(field, " rtsp://me:secret@camera.local/stream ")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert opened(session) == ["rtsp://me:secret@camera.local/stream"]
    session.emit(Opening(redacted("rtsp://me:secret@camera.local/stream")))
    session.opens(redacted("rtsp://me:secret@camera.local/stream"), live=True)
    assert field.text() == ""
    assert all("secret" not in item.text() for item in panel.findChild(QListWidget).rows())


def test_an_address_that_cannot_be_opened_stays_to_be_mended(show, session, qtbot):
    panel = show()
    field = named(panel, QLineEdit, "Network address")
    qtbot.keyClicks(field, "rtsp://camera.locl/stream")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    session.emit(Opening("rtsp://camera.locl/stream"))
    session.emit(Failed("source", "no such host"))
    session.emit(Closed("rtsp://camera.locl/stream"))
    assert field.text() == "rtsp://camera.locl/stream"


def test_a_bad_address_is_refused_with_the_reason_until_it_is_edited(show, session, qtbot):
    panel = show()
    field = named(panel, QLineEdit, "Network address")
    qtbot.keyClicks(field, "ftp://host/clip")
    click(qtbot, button(panel, "Open address"))
    assert "ftp:// cannot be opened" in said(panel, "Problem of the address")
    assert opened(session) == []
    qtbot.keyClick(field, Qt.Key.Key_Backspace)
    assert said(panel, "Problem of the address") == ""


def test_recent_sources_are_opened_by_enter_and_by_double_click(show, controller, session, qtbot):
    controller.remember(recent=("a.mp4", "b.mp4"))
    panel = show()
    recent = panel.findChild(QListWidget)
    recent.setCurrentRow(1)
    qtbot.keyClick(recent, Qt.Key.Key_Return)
    assert opened(session) == ["b.mp4"]
    session.opens("b.mp4")
    assert [item.text() for item in recent.rows()] == ["b.mp4", "a.mp4"]
    place = recent.visualItemRect(recent.item(1)).center()
    qtbot.mouseClick(recent.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.mouseDClick(recent.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert opened(session) == ["b.mp4", "a.mp4"]


def test_the_recent_sources_can_be_forgotten(show, controller, qtbot):
    controller.remember(recent=("a.mp4",))
    panel = show()
    click(qtbot, button(panel, "Clear the list"))
    assert controller.settings.recent == ()
    assert panel.findChild(QListWidget).count() == 0


def test_how_a_source_fares_is_told_in_words(show, session, qtbot):
    panel = show()
    state = "State of the source"
    assert said(panel, state) == NOTHING_OPEN
    session.emit(Opening("clip.mp4"))
    assert said(panel, state) == "Opening clip.mp4…"
    session.opens("clip.mp4")
    assert said(panel, state) == "clip.mp4\n320 × 240, 25 frames a second, 0:10 long"
    session.emit(Lost("clip.mp4", "unplugged"))
    assert "Lost" in said(panel, state)
    assert "unplugged" in said(panel, state)
    session.emit(Regained("clip.mp4"))
    assert said(panel, state).startswith("clip.mp4\n")
    session.ends("clip.mp4")
    assert said(panel, state) == NOTHING_OPEN


def test_a_long_name_has_its_room_before_it_is_painted(show, session, qtbot):
    panel = show()
    panel.resize(300, 600)
    qtbot.waitUntil(lambda: said(panel, "Cameras") != LOOKING)
    state = named(panel, WrappedLabel, "State of the source")
    for name in ("a.mp4", "/home/somebody/Videos/at_the_sea/2026/a_rather_long_name_of_a_clip.mp4", "b.mp4"):
        session.emit(Opening(name))
        assert state.height() >= state.heightForWidth(state.width())


def test_why_a_source_ended_stays_to_be_read(show, session):
    panel = show()
    session.emit(Opening("clip.mp4"))
    session.emit(Failed("source", "clip.mp4: no such file"))
    session.emit(Closed("clip.mp4"))
    assert said(panel, "State of the source") == "Not opened: clip.mp4: no such file"
    assert not button(panel, "Close").isEnabled()


def test_a_source_that_breaks_off_is_told_from_one_that_was_never_open(show, session):
    panel = show()
    session.emit(Opening("clip.mp4"))
    session.opens("clip.mp4")
    session.emit(Failed("source", "damaged"))
    assert said(panel, "State of the source") == "Interrupted: damaged"


def test_what_was_open_and_goes_on_is_told_after_another_one_could_not_be_opened(show, session):
    panel = show()
    session.emit(Opening("clip.mp4"))
    session.opens("clip.mp4")
    session.emit(Opening("bad.mp4"))
    session.emit(Failed("source", "damaged"))
    assert said(panel, "State of the source") == "Not opened: damaged"
    session.opens("clip.mp4")
    assert said(panel, "State of the source").startswith("clip.mp4\n")
    assert button(panel, "Close").isEnabled()
    session.ends("clip.mp4")
    assert said(panel, "State of the source") == NOTHING_OPEN


@pytest.mark.parametrize("topic", ["drop", "source"])
def test_what_is_refused_outright_does_not_leave_the_failure_before_it(show, controller, session, topic):
    panel = show()
    session.emit(Opening("clip.mp4"))
    session.emit(Failed("source", "clip.mp4: no such file"))
    session.emit(Closed("clip.mp4"))
    controller.notify(Level.WARNING, "notes.txt: neither a video nor a picture", topic=topic)
    assert said(panel, "State of the source") == NOTHING_OPEN


@pytest.mark.parametrize(("count", "words"), [(1, "a picture, 64 × 48"), (12, "12 pictures, 64 × 48")])
def test_pictures_have_no_rate_and_no_length(count, words):
    info = SourceInfo("holiday", False, 64, 48, Fraction(25), count, count / Fraction(25))
    assert source_text(info) == f"holiday\n{words}"


def test_the_end_of_the_source_before_says_nothing_of_the_one_that_is_opening(show, session):
    panel = show()
    session.emit(Opening("new.mp4"))
    session.emit(Closed("old.mp4"))
    assert said(panel, "State of the source") == "Opening new.mp4…"


def test_a_source_is_closed_by_a_button(show, session, qtbot):
    panel = show()
    session.emit(Opening("clip.mp4"))
    click(qtbot, button(panel, "Close"))
    assert session.asked[-1] == ("close_source",)


def test_closing_the_window_waits_for_a_search_for_cameras(window, qtbot, monkeypatch):
    monkeypatch.setattr("ui.panels.cameras._PATIENCE", 20)
    ended, found = threading.Event(), []
    dock = window.docks["source"]
    qtbot.waitUntil(lambda: dock.panel is not None)
    search = CameraSearch(lambda: ended.wait(0.1) or found.append(True) or ())
    monkeypatch.setattr(dock.panel._cameras, "_search", search)
    search.start()
    window.close()

    assert found
    assert not search.running
