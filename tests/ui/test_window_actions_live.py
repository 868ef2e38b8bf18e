"""Everything that the tables of actions and panels offer, done with a real session."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.frame import Result
from tests.ui.live_window import camera, pause_demo, rests, threads, told, widgets
from ui.control.notices import Level
from ui.panels import PANELS
from ui.window.actions import ACTIONS
from ui.window.dialogs import open_dialogs
from ui.window.main_window import MainWindow

# what an action brings about, given the result that was shown before; what is checked flips, dialogs open
EFFECTS: dict[str, Callable[[MainWindow, Result], object]] = {
    "open_camera": lambda w, before: w.controller.opened and w.controller.opened.info.live,
    "close_source": lambda w, before: w.controller.opened is None,
    "snapshot": lambda w, before: told(w, Level.INFO, "Snapshot saved"),
    "play": lambda w, before: w.controller.session.playback.playing,
    "step_on": lambda w, before: rests(w) and w.controller.result.frame.time > before.frame.time,
    "step_back": lambda w, before: rests(w) and w.controller.result.frame.time < before.frame.time,
    "start_over": lambda w, before: rests(w) and w.controller.result.frame.time == 0,
    "next_instance": lambda w, before: w.controller.result.selected is not None,
    "previous_instance": lambda w, before: w.controller.result.selected is not None,
    "stabilise": lambda w, before: w.controller.session.in_use == w.controller.detection,
    "split_left": lambda w, before: w.controller.comparer.at < 0.5,
    "split_right": lambda w, before: w.controller.comparer.at == 0.5,
    "zoom_in": lambda w, before: w.view.geometry_of_view.zoom > 1,
    "zoom_out": lambda w, before: w.view.geometry_of_view.zoom < 1.25,
    "fit": lambda w, before: w.view.geometry_of_view.zoom == 1,
    "full_screen": lambda w, before: w.isFullScreen(),
    "escape": lambda w, before: not w.isFullScreen() and w.focusWidget() is w.view,
}


def compare(window, until) -> None:
    window.controller.comparer.change(on=True)
    until(lambda: window.controller.shows_two_sides)
    window.menus.refresh()


def act(window, spec, until) -> None:
    """Do it as the menu does, and see that it is done; then put things back."""
    if spec.name.startswith("split"):
        compare(window, until)
    before = window.controller.result
    action = window.menus.actions[spec.name]
    assert action.isEnabled(), spec.name
    was_on = action.isChecked()
    action.trigger()
    if spec.name in EFFECTS:
        until(lambda: EFFECTS[spec.name](window, before))
    elif spec.name.startswith("colours"):
        assert action.isChecked()
    elif spec.checked is not None:
        until(lambda: spec.checked(window.controller) is not was_on)
        action.trigger()
        until(lambda: spec.checked(window.controller) is was_on)
    else:
        (dialog,) = open_dialogs(window)
        dialog.reject()


def use_everything(window, until) -> None:
    for spec in ACTIONS:
        if spec.name != "quit":
            pause_demo(window, until)
            act(window, spec, until)
    for name in PANELS:
        dock = window.docks[name]
        for wanted in (True, False):
            if dock.in_front is not wanted:
                dock.action.trigger()
            until(lambda dock=dock: dock.panel is not None)
            assert dock.in_front is wanted
    pause_demo(window, until)
    window.controller.comparer.change(on=False)
    window.menus.actions["colours_system"].trigger()
    assert not [notice for notice in window.notices.notices if notice.level is Level.ERROR]
    window.notices.clear()


@pytest.mark.slow
def test_every_action_and_panel_acts_again_and_again_and_leaves_no_widget_and_no_thread(begin, until):
    window = begin(**{"0": camera})
    use_everything(window, until)
    most = widgets(), threads()
    use_everything(window, until)
    until(lambda: widgets() <= most[0] and threads() <= most[1])
    window.menus.actions["quit"].trigger()
    assert window.isHidden()
