from collections import Counter

import pytest
from PyQt6.QtGui import QKeySequence

from ui.panels import PANELS
from ui.window.actions import ACTIONS, MENUS
from ui.window.shortcuts import ShortcutsDialog, shortcuts

PROMISED = ("Space", "Left", "Right", "M", "B", "L", "P", "T", "F", "Esc", "?", "Ctrl+O", "Ctrl+S", "Ctrl+R",
            "Ctrl+Q")  # fmt: skip


def all_keys():
    """As Qt understands them."""
    keys = [key for spec in ACTIONS for key in spec.keys] + [spec.shortcut for spec in PANELS.values()]
    return [QKeySequence(key).toString() for key in keys]


def test_no_key_and_no_name_is_given_twice():
    names = [spec.name for spec in ACTIONS]
    assert [key for key, count in Counter(all_keys()).items() if count > 1] == []
    assert len(names) == len(set(names))


@pytest.mark.parametrize("key", PROMISED)
def test_the_usual_keys_do_something(key):
    assert QKeySequence(key).toString() in all_keys()


def test_every_key_is_one_and_every_action_has_a_menu_and_says_what_it_does():
    assert all(all_keys())
    assert {spec.menu for spec in ACTIONS} <= set(MENUS)
    assert [spec.name for spec in ACTIONS if not spec.tip and spec.name != "quit"] == []


def test_the_letters_of_a_menu_are_its_own():
    for menu in MENUS:
        letters = [
            spec.text[spec.text.index("&") + 1].lower()
            for spec in ACTIONS
            if spec.menu == menu and "&" in spec.text
        ]
        assert [letter for letter, count in Counter(letters).items() if count > 1] == []


def test_the_table_of_shortcuts_names_every_key(qtbot):
    shown = " ".join(keys for _, keys, _ in shortcuts())
    for spec in ACTIONS:
        for key in spec.keys:
            assert QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText) in shown

    dialog = ShortcutsDialog()
    qtbot.addWidget(dialog)
    assert dialog.windowTitle() == "Shortcuts"
