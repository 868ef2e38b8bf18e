"""Who gets a key: the widget that has the keyboard, or the window's shortcuts."""

import pytest
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtWidgets import QComboBox, QDoubleSpinBox, QLineEdit, QListWidget, QSlider, QTabBar, QWidget


def a_list():
    made = QListWidget()
    made.addItems(["car", "person", "train"])
    return made


def a_box():
    made = QComboBox()
    made.addItems(["car", "person", "train"])
    return made


@pytest.mark.parametrize("make", [a_list, a_box, QDoubleSpinBox])
@pytest.mark.parametrize("where", ["middle", "panel", "floating"])
def test_letters_that_are_typed_in_lists_and_fields_switch_nothing(window, controller, qtbot, make, where):
    field = make()
    if where == "middle":
        window.centralWidget().layout().addWidget(field)
    else:
        window.docks["source"].bring()
        window.docks["source"].setWidget(field)
        window.docks["source"].setFloating(where == "floating")
    field.show()
    field.activateWindow()
    field.setFocus()
    qtbot.waitUntil(field.hasFocus)
    before = controller.display
    for key in "pmT?":
        qtbot.keyClicks(field, key)

    assert controller.display == before
    assert window.docks["prototypes"].isHidden()


def test_letters_that_are_typed_into_a_line_switch_nothing(window, controller, qtbot):
    window.docks["source"].raise_()
    line = QLineEdit(window.centralWidget())
    line.show()
    line.setFocus()
    before = controller.display
    qtbot.keyClicks(line, "mblp?")

    assert line.text() == "mblp?"
    assert controller.display == before


@pytest.mark.parametrize("make", [QTabBar, QSlider])
def test_space_plays_and_pauses_also_from_what_has_no_use_for_it(window, session, qtbot, make):
    session.opens()
    field = make()
    window.centralWidget().layout().addWidget(field)
    field.show()
    field.setFocus()
    qtbot.keyClick(field, Qt.Key.Key_Space)

    assert not session.playback.playing


def test_space_plays_and_pauses_also_after_a_panel_was_brought_by_its_key(window, session, qtbot):
    session.opens()
    window.docks["display"].bring()
    qtbot.keyClick(window.focusWidget(), Qt.Key.Key_Space)

    assert not session.playback.playing


def test_arrows_step_also_while_a_panel_as_a_whole_has_the_keyboard(window, session, qtbot):
    session.opens()
    panel = QWidget()
    window.centralWidget().layout().addWidget(panel)
    panel.show()
    panel.setFocus()
    qtbot.keyClick(panel, Qt.Key.Key_Right)

    assert session.playback.position == pytest.approx(0.04)


def test_a_letter_finds_an_entry_in_a_list(window, qtbot):
    field = a_list()
    window.centralWidget().layout().addWidget(field)
    field.show()
    field.setFocus()
    qtbot.keyClicks(field, "p")

    assert field.currentItem().text() == "person"


def test_shortcuts_with_control_act_from_everywhere(window, session, qtbot):
    session.opens()
    field = a_list()
    window.centralWidget().layout().addWidget(field)
    field.show()
    field.setFocus()
    qtbot.keyClick(field, "S", Qt.KeyboardModifier.ControlModifier)

    assert session.asked[-1][0] == "snapshot"


def test_the_mouse_leaves_the_keyboard_with_the_picture(window, session, qtbot):
    session.opens()
    window.view.setFocus()
    bar = window.seek_bar
    for widget in (bar.play, bar.on, bar.back, bar.loop):
        qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(bar.slider, Qt.MouseButton.LeftButton, pos=QPoint(bar.slider.width() // 2, 5))
    assert window.focusWidget() is window.view

    before = session.playback.position
    qtbot.keyClick(window.focusWidget(), Qt.Key.Key_Right)
    assert session.playback.position == pytest.approx(before + 0.04)


def test_it_is_seen_that_the_picture_has_the_keyboard_unless_the_mouse_shows_it(window, session):
    session.opens()
    view = window.view

    def edge():
        return view.grab().toImage().pixelColor(view.width() // 2, 1)

    window.seek_bar.loop.setFocus()
    without = edge()
    view.setFocus(Qt.FocusReason.TabFocusReason)
    assert edge() != without
    assert edge().lightness() > without.lightness() + 100

    window.seek_bar.loop.setFocus()
    view.setFocus(Qt.FocusReason.MouseFocusReason)
    assert edge() == without
