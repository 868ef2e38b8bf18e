"""The real thing: the window with a real session, the demo clip and the weights that come along."""

import sys
import threading
import time

import pytest
from PyQt6.QtCore import Qt

from pipeline.sinks.part_file import PartFile
from tests.source_tree import ROOT
from ui.control.notices import Level
from ui.control.notifier import PRIVACY_NOTE
from ui.control.settings import DetectionSettings, WindowSettings, load, save, settings_path
from ui.window import application
from ui.window.application import Start, errors_as_notices, make_window

DEMO = ROOT / "assets" / "demo.mp4"
PATIENCE = 60_000  # milliseconds, on a machine with much else to do


@pytest.fixture
def start(qtbot, qapp):
    """Makes and shows a window."""
    made = []

    def begin(*arguments, warn=lambda text: None, **named):
        window = make_window(qapp, Start(*arguments, **named), warn)
        qtbot.addWidget(window)
        made.append(window)
        with qtbot.waitExposed(window):
            window.show()
        window.activateWindow()
        return window

    yield begin
    for window in made:
        window.close()


def has_detections(window, at=None):
    """Whether instances are shown, and those of that second if one is asked for."""
    result = window.controller.result
    is_there = result is not None and (at is None or abs(float(result.frame.time) - at) < 0.03)
    return is_there and len(result.detections) > 0


def test_a_clip_is_shown_with_its_masks_paused_sought_and_clicked(start, qtbot):
    window = start(str(DEMO))
    qtbot.waitUntil(lambda: has_detections(window), timeout=PATIENCE)
    controller = window.controller
    assert window.windowTitle() == "demo.mp4 – LiveMask"

    qtbot.waitUntil(window.isActiveWindow)
    window.view.setFocus()
    qtbot.keyClick(window.view, Qt.Key.Key_Space)
    controller.seek(1.0)
    qtbot.waitUntil(lambda: has_detections(window, at=1.0), timeout=PATIENCE)
    qtbot.keyClick(window.view, Qt.Key.Key_N)
    qtbot.waitUntil(
        lambda: controller.result is not None and controller.result.selected is not None, timeout=PATIENCE
    )
    qtbot.keyClick(window.view, Qt.Key.Key_P)
    qtbot.waitUntil(lambda: "Privacy on" in window.status.state.text(), timeout=PATIENCE)

    assert not controller.session.playback.playing
    assert [notice.text for notice in window.notices.notices] == [PRIVACY_NOTE]


def test_what_cannot_be_opened_is_told_with_details_to_copy(start, qtbot, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    window = start(str(broken))
    qtbot.waitUntil(lambda: bool(window.notices.notices), timeout=PATIENCE)

    (notice,) = window.notices.notices
    assert notice.level is Level.ERROR
    assert "broken.mp4" in notice.text
    assert "Traceback" in notice.details
    qtbot.waitUntil(window.welcome.isVisible)


def test_closing_in_the_middle_of_everything_leaves_no_thread_behind_for_long(start, qtbot):
    before = set(threading.enumerate())
    window = start(str(DEMO))
    qtbot.waitUntil(lambda: window.controller.opened is not None, timeout=PATIENCE)
    begun = time.monotonic()
    window.close()

    # it waits for 2 s at most, which on a busy machine take longer, and never for the network to be there
    assert time.monotonic() - begun < 4 or window.controller.loaded is None
    assert not [thread for thread in set(threading.enumerate()) - before if not thread.daemon]


def test_settings_are_kept_from_one_start_to_the_next(start):
    window = start()
    window.controller.set_display(opacity=0.2)
    window.docks["performance"].action.trigger()
    window.close()
    assert load(settings_path())[1] == ""

    again = start()
    assert again.controller.display.opacity == 0.2
    assert not again.docks["performance"].isHidden()


def test_a_broken_settings_file_is_told_and_the_window_is_there_all_the_same(start):
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text("{")

    window = start()

    assert [notice.level for notice in window.notices.notices] == [Level.WARNING]
    assert "window.json" in window.notices.notices[0].text


def test_settings_that_cannot_be_kept_are_told_to_whoever_is_left(start, home):
    home.write_text("a file where the folder should be")
    told = []
    window = start(warn=told.append)
    window.close()

    assert "could not be saved" in told[0]


def test_weights_that_are_named_at_the_start_are_those_of_the_settings(start):
    assert start("", "mine.pt").controller.detection.weights == "mine.pt"


def test_an_error_that_nobody_catches_becomes_a_notice_also_from_another_thread(start, qtbot):
    window = start()
    with errors_as_notices(window.controller):
        sys.excepthook(KeyError, KeyError("lost"), None)
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
    qtbot.waitUntil(lambda: len(window.notices.notices) == 2)

    texts = " ".join(notice.text for notice in window.notices.notices)
    assert "lost" in texts
    assert "division by zero" in texts


def test_without_a_display_an_error_says_so(monkeypatch):
    monkeypatch.setattr(application, "missing_display", lambda: "there is no screen")

    with pytest.raises(application.LiveMaskError, match="there is no screen"):
        application.run(Start(), print)


@pytest.mark.parametrize(
    ("given", "wanted"), [((), ("cat",)), (("person", "dog"), ("person", "dog")), (("all",), None)]
)
def test_classes_that_are_asked_for_take_the_place_of_those_looked_for_last(start, given, wanted):
    save(WindowSettings(detection=DetectionSettings(classes=("cat",))), settings_path())

    window = start(classes=given)

    assert window.controller.detection.classes == wanted


def test_a_recording_that_was_not_finished_is_told_at_the_next_start(start, tmp_path):
    save(WindowSettings(output=str(tmp_path)), settings_path())
    (tmp_path / "clip.mp4").write_bytes(b"whole")
    assert not start().notices.notices

    left, busy = PartFile(tmp_path / "left.mp4"), PartFile(tmp_path / "busy.mp4")
    left.keep()
    (notice,) = start().notices.notices
    busy.discard()
    assert notice.level is Level.WARNING
    assert left.part.name in notice.text
    assert str(left.part) in notice.details
    assert "busy" not in notice.text + notice.details
    assert "clip.mp4" not in notice.text + notice.details
