from dataclasses import replace

import pytest
from PyQt6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PyQt6.QtGui import QDragEnterEvent, QDropEvent
from PyQt6.QtWidgets import (
    QApplication,
    QPushButton,
    QToolButton,
)

from pipeline.live.events import Failed, Opening, Progress
from tests.ui.standin_session import StandInSession, result_of
from ui.control.controller import Controller
from ui.control.notices import Level
from ui.control.notifier import PRIVACY_NOTE, PRIVACY_OFF
from ui.control.settings import WindowSettings
from ui.panels import PANELS
from ui.window.actions import ACTIONS
from ui.window.main_window import MainWindow

KEYS = {key: spec.name for spec in ACTIONS for key in spec.keys}


def drop(window, *urls):
    data = QMimeData()
    data.setUrls([QUrl(url) if "://" in url else QUrl.fromLocalFile(url) for url in urls])
    kinds = Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    entered = QDragEnterEvent(QPoint(50, 50), *kinds)
    QApplication.sendEvent(window, entered)
    assert entered.isAccepted()
    QApplication.sendEvent(window, QDropEvent(QPointF(50, 50), *kinds))


def levels(window):
    return [notice.level for notice in window.notices.notices]


def test_an_empty_window_says_what_to_do_first(window, session, qtbot):
    first, second, *_ = window.welcome.findChildren(QPushButton)
    assert window.welcome.isVisible()
    qtbot.mouseClick(first, Qt.MouseButton.LeftButton)

    assert session.asked[-1] == ("open", "0")
    assert "file" in second.text()


def test_the_picture_takes_the_place_of_the_hint_and_gives_it_back(window, session, qtbot):
    session.opens("clip.mp4")
    assert window.view.isVisible()
    assert window.windowTitle() == "clip.mp4 – LiveMask"

    session.ends("clip.mp4")
    qtbot.waitUntil(window.welcome.isVisible)
    assert window.windowTitle() == "LiveMask"


def test_between_two_sources_the_hint_does_not_flash(window, session, qtbot):
    seen = []
    window._stack.currentChanged.connect(seen.append)
    session.opens("one.mp4")
    for name in ("two.mp4", "three.mp4"):
        session.ends(window.controller.title)
        session.emit(Opening(name))
        session.opens(name)
    qtbot.waitUntil(lambda: not window._emptied.isActive())

    assert seen == [1]


@pytest.mark.parametrize(
    ("key", "field"), [("M", "masks"), ("O", "outlines"), ("B", "boxes"), ("L", "labels"), ("P", "privacy")]
)
def test_a_letter_switches_what_is_drawn_and_the_menu_shows_it(window, controller, qtbot, key, field):
    before = getattr(controller.display, field)
    qtbot.keyClick(window, key)

    assert getattr(controller.display, field) is not before
    assert window.menus.actions[field].isChecked() is not before


def test_privacy_that_is_switched_on_says_what_it_cannot_do(window, controller):
    controller.set_display(privacy=True)
    controller.set_display(boxes=False)

    assert [notice.text for notice in window.notices.notices] == [PRIVACY_NOTE]
    assert "not detected is not hidden" in PRIVACY_NOTE

    controller.set_display(privacy=False)
    assert [notice.text for notice in window.notices.notices] == [PRIVACY_OFF]


def test_an_empty_window_is_used_by_the_keyboard(qtbot, controller, session):
    window = MainWindow(controller)
    qtbot.addWidget(window)
    with qtbot.waitExposed(window):
        window.show()
    window.activateWindow()
    qtbot.keyClick(window.focusWidget(), Qt.Key.Key_Space)
    assert session.asked[-1] == ("open", "0")

    session.opens("0", live=True)
    assert window.focusWidget() is window.view


def test_what_cannot_be_done_now_is_grey(window, session):
    actions = window.menus.actions
    assert not actions["snapshot"].isEnabled()
    assert not actions["play"].isEnabled()

    session.opens(live=True)
    assert actions["snapshot"].isEnabled()
    assert not actions["play"].isEnabled()

    session.ends()
    session.opens("clip.mp4")
    assert actions["play"].isEnabled()


def test_space_and_arrows_play_and_step_while_the_picture_has_the_keyboard(window, session, qtbot):
    session.opens()
    window.view.setFocus()
    qtbot.keyClick(window.view, Qt.Key.Key_Space)
    assert not session.playback.playing
    qtbot.keyClick(window.view, Qt.Key.Key_Right)
    qtbot.keyClick(window.view, Qt.Key.Key_Right)
    qtbot.keyClick(window.view, Qt.Key.Key_Left)

    assert session.playback.position == pytest.approx(0.04)


def test_space_presses_the_button_that_has_the_keyboard(window, session, qtbot):
    session.opens()
    window.seek_bar.loop.setFocus()
    qtbot.keyClick(window.seek_bar.loop, Qt.Key.Key_Space)

    assert session.playback.loop
    assert session.playback.playing


def test_snapshot_and_recording_have_keys_of_their_own(window, session, qtbot):
    session.opens()
    qtbot.keyClick(window, "S", Qt.KeyboardModifier.ControlModifier)
    assert session.asked[-1][0] == "snapshot"
    qtbot.keyClick(window, "R", Qt.KeyboardModifier.ControlModifier)
    assert session.asked[-1][0] == "record"
    assert window.menus.actions["record"].isChecked()
    qtbot.keyClick(window, "R", Qt.KeyboardModifier.ControlModifier)
    assert session.asked[-1] == ("stop_recording",)


def test_full_screen_shows_the_picture_alone_and_escape_brings_everything_back(window, session, qtbot):
    session.opens()
    bars = (window.menuBar(), window.statusBar(), window.menus.tools, window.docks["source"])
    qtbot.keyClick(window.view, "F")
    assert window.isFullScreen()
    assert not any(bar.isVisible() for bar in bars)

    qtbot.keyClick(window.view, "M")  # shortcuts stay
    assert not window.controller.display.masks

    qtbot.keyClick(window.view, Qt.Key.Key_Escape)
    assert not window.isFullScreen()
    assert not any(bar.isHidden() for bar in bars)
    assert window.docks["performance"].isHidden()


def test_escape_deselects_and_gives_the_picture_the_keyboard(window, controller, session, qtbot):
    session.opens()
    session.gives(result_of(selected=1))
    qtbot.waitUntil(lambda: controller.result is not None)
    window.seek_bar.loop.setFocus()
    qtbot.keyClick(window, Qt.Key.Key_Escape)

    assert session.asked[-1] == ("deselect",)
    assert window.focusWidget() is window.view


@pytest.mark.parametrize("name", PANELS)
def test_every_panel_opens_is_made_and_closes(window, name, qtbot):
    dock = window.docks[name]
    dock.hide()
    dock.action.trigger()
    assert not dock.isHidden()
    qtbot.waitUntil(lambda: dock.panel is not None)
    assert levels(window) == []

    dock.action.trigger()
    assert dock.isHidden()


def test_a_panel_that_cannot_be_made_is_told_and_the_window_goes_on(window, qtbot, monkeypatch):
    dock = window.docks["performance"]
    monkeypatch.setattr(dock, "spec", replace(dock.spec, title="Broken", target="ui.nowhere:Panel"))
    dock.action.trigger()

    assert levels(window) == [Level.ERROR]
    assert "Broken" in window.notices.notices[0].text


def test_files_and_weights_are_dropped_on_the_window(window, controller, session, tmp_path):
    clip, weights, notes = (tmp_path / name for name in ("clip.mp4", "net.onnx", "notes.txt"))
    for path in (clip, weights, notes):
        path.write_bytes(b"")
    drop(window, str(clip), str(weights))
    assert session.asked[-1] == ("open", str(clip))
    assert controller.detection.weights == str(weights)

    drop(window, str(notes))
    assert levels(window) == [Level.WARNING]
    assert ".txt" in window.notices.notices[0].text


def test_an_address_that_is_dropped_is_opened(window, session):
    drop(window, "rtsp://host/one")

    assert session.asked[-1] == ("open", "rtsp://host/one")


def test_tasks_and_errors_are_shown_where_they_can_be_seen(window, session):
    session.emit(Progress("annotation", 0.5))
    assert window.tasks.isVisible()
    window.tasks.findChild(QPushButton).click()
    assert session.asked[-1] == ("cancel_annotation",)

    session.emit(Failed("annotation", "the disk is full", "details"))
    assert not window.tasks.isVisible()
    assert levels(window) == [Level.ERROR]


def test_recent_sources_are_in_the_menu(window, controller, session):
    controller.open("first & second.mp4")
    session.opens("first & second.mp4")
    controller.open("0")
    session.opens("0", live=True)
    recent = window.menus.recent
    recent.aboutToShow.emit()
    assert recent.actions()[0].text() == "Camera 0"
    recent.actions()[1].trigger()

    assert session.asked[-1] == ("open", "first & second.mp4")


@pytest.mark.parametrize("colours", ["dark", "light", "system"])
def test_colours_are_the_systems_or_chosen(window, controller, qapp, colours):
    window.menus.actions[f"colours_{colours}"].trigger()
    lightness = window.palette().window().color().lightness()

    assert controller.settings.colours == colours
    assert window.menus.actions[f"colours_{colours}"].isChecked()
    if colours != "system":
        assert (lightness < 128) == (colours == "dark")
    window.set_colours("system")


def test_everything_is_reached_by_the_tab_key_and_has_a_name(window, session, qtbot):
    session.opens()
    seen = []
    window.view.setFocus()
    for _ in range(60):
        qtbot.keyClick(window.focusWidget(), Qt.Key.Key_Tab)
        seen.append(window.focusWidget())
    bar = window.seek_bar
    tools = [button for button in window.menus.tools.findChildren(QToolButton) if button.isVisible()]

    assert {bar.play, bar.back, bar.on, bar.slider, bar.loop, bar.speed} <= set(seen)
    assert {button for button in tools if button.isEnabled() and button.defaultAction()} <= set(seen)
    buttons = [widget for widget in seen if isinstance(widget, (QPushButton, QToolButton))]
    assert [button for button in buttons if not (button.accessibleName() or button.text())] == []


def test_closing_keeps_panels_and_ends_the_session(qtbot, controller, session):
    saved = []
    window = MainWindow(controller, lambda: saved.append(controller.settings))
    qtbot.addWidget(window)
    window.show()
    window.docks["performance"].action.trigger()
    window.docks["source"].hide()
    window.close()

    assert session.closed
    assert set(saved[0].panels) == {"detection", "display", "instance", "performance"}

    again = MainWindow(Controller(saved[0], make_session=StandInSession))
    qtbot.addWidget(again)
    assert {name for name, dock in again.docks.items() if not dock.isHidden()} == set(saved[0].panels)


@pytest.mark.parametrize("layout", ["", "AAAA", "not base 64 at all!", "//// ////"])
def test_a_layout_that_makes_no_sense_is_left_alone(qtbot, layout):
    window = MainWindow(Controller(WindowSettings(layout=layout), make_session=StandInSession))
    qtbot.addWidget(window)

    assert not window.docks["source"].isHidden()
