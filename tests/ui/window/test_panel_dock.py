"""Panels behind tabs: the keyboard must not get there, and their shortcuts bring them to the front."""

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QLabel, QTabBar, QToolButton

from ui.panels import PANELS

RIGHT = [name for name, spec in PANELS.items() if spec.area == "right"]


def seen(window):
    return [name for name in RIGHT if window.docks[name].in_front]


@pytest.fixture
def tabs(window, qtbot):
    """All panels of the right side as tabs, the first one in front."""
    window.docks["source"].bring()
    qtbot.waitUntil(lambda: seen(window) == ["source"])
    return window


def test_the_keyboard_does_not_get_into_a_panel_behind_the_tab_of_another(tabs, qtbot):
    tabs.docks["display"].bring()  # so that it is made
    tabs.docks["source"].bring()
    qtbot.waitUntil(lambda: seen(tabs) == ["source"])
    for _ in range(120):
        qtbot.keyClick(tabs.focusWidget(), Qt.Key.Key_Tab)
        focus = tabs.focusWidget()
        assert not any(tabs.docks[name].isAncestorOf(focus) for name in RIGHT if name != "source")

    assert not tabs.docks["display"].panel.isVisible()


def test_a_panel_loses_the_keyboard_when_another_one_comes_to_the_front(tabs, qtbot):
    first, other = tabs.docks["source"], tabs.docks["display"]
    assert first.isAncestorOf(tabs.focusWidget()) or tabs.focusWidget() is first
    other.raise_()
    qtbot.waitUntil(lambda: other.in_front)

    assert tabs.focusWidget() is None or not first.isAncestorOf(tabs.focusWidget())


def test_its_shortcut_brings_a_panel_to_the_front_and_hides_it_only_there(tabs, qtbot):
    dock = tabs.docks["detection"]
    assert not dock.action.isChecked()
    qtbot.keyClick(tabs, Qt.Key.Key_2, Qt.KeyboardModifier.ControlModifier)
    assert not dock.isHidden()
    qtbot.waitUntil(lambda: seen(tabs) == ["detection"])
    assert dock.action.isChecked()
    assert dock.panel.isVisible()
    assert dock.panel.hasFocus() or dock.panel.isAncestorOf(tabs.focusWidget())

    qtbot.keyClick(tabs, Qt.Key.Key_2, Qt.KeyboardModifier.ControlModifier)
    assert dock.isHidden()
    assert not dock.action.isChecked()
    assert tabs.welcome.isAncestorOf(tabs.focusWidget())


def test_a_letter_brings_a_panel_to_the_front_as_well(tabs, qtbot):
    tabs.docks["prototypes"].show()
    tabs.docks["performance"].bring()
    qtbot.waitUntil(lambda: not tabs.docks["prototypes"].in_front)
    tabs.view.setFocus()
    qtbot.keyClick(tabs, "T")

    assert tabs.docks["prototypes"].in_front


def test_a_panel_that_is_asked_for_in_full_screen_comes_with_everything_else(tabs, qtbot):
    tabs.toggle_full_screen()
    qtbot.keyClick(tabs, Qt.Key.Key_2, Qt.KeyboardModifier.ControlModifier)

    assert not tabs.isFullScreen()
    assert not tabs.menus.tools.isHidden()
    assert tabs.docks["detection"].in_front


def test_a_panel_has_buttons_that_float_and_close_it_and_say_so(tabs, qtbot):
    dock = tabs.docks["source"]
    title = dock.titleBarWidget()
    floats, closes = title.findChildren(QToolButton)
    assert title.findChild(QLabel).text() == "Source"
    qtbot.mouseClick(floats, Qt.MouseButton.LeftButton)
    assert dock.isFloating()
    qtbot.mouseClick(floats, Qt.MouseButton.LeftButton)
    assert not dock.isFloating()

    assert "Close" in closes.accessibleName()
    qtbot.mouseClick(closes, Qt.MouseButton.LeftButton)
    assert dock.isHidden()


def test_the_tabs_of_panels_have_a_name_and_take_the_keyboard(tabs):
    bars = [bar for bar in tabs.findChildren(QTabBar) if bar.isVisible()]

    assert bars
    assert {bar.accessibleName() for bar in bars} == {"Panels"}
    assert all(bar.focusPolicy() & Qt.FocusPolicy.TabFocus for bar in bars)


def test_the_panels_column_is_as_wide_with_every_tab(tabs, qtbot):
    width = tabs.docks["source"].width()
    for name in RIGHT:
        tabs.docks[name].bring()
        qtbot.waitUntil(lambda name=name: seen(tabs) == [name])
        assert tabs.docks[name].width() == width > 300
