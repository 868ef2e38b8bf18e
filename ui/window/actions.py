"""The table of actions, from which menus, tool bar, shortcuts and their list are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from ui.control.controller import Controller
    from ui.view.video_view import VideoView
    from ui.window.dialogs import Dialogs

MENUS = {"file": "&File", "playback": "&Playback", "view": "&View", "panels": "P&anels", "help": "&Help"}


class ActionTarget(Protocol):
    """The parts and methods of the window that actions use."""

    controller: Controller
    dialogs: Dialogs
    view: VideoView

    def close(self) -> bool:
        """Close the window; return False if it stays open."""

    def escape(self) -> None:
        """Leave the full screen, or deselect, or give the picture the keyboard."""

    def set_colours(self, colours: Literal["system", "light", "dark"]) -> None:
        """Choose light or dark colours, or those of the system."""

    def show_shortcuts(self) -> None:
        """Show the table of shortcuts."""

    def toggle_full_screen(self) -> None:
        """Enter the full screen, or leave it."""


@dataclass(frozen=True)
class ActionSpec:
    """Description of one action.

    run:     performs the action
    keys:    shortcuts; the menu shows the first one
    checked: returns the state of an action that is on or off; None for other actions
    enabled: returns False while the action is unavailable; None for always available
    tool:    text in the tool bar, "" if it is not there
    parts:   put a separator above it in the menu
    tool_checked: text in the tool bar while it is on, "" for the same
    """

    name: str
    text: str
    menu: str
    run: Callable[[ActionTarget], object]
    keys: tuple[str, ...] = ()
    tip: str = ""
    checked: Callable[[Controller], bool] | None = None
    enabled: Callable[[Controller], bool] | None = None
    tool: str = ""
    parts: bool = False
    tool_checked: str = ""


def _is_open(controller: Controller) -> bool:
    return controller.opened is not None


def _is_playable(controller: Controller) -> bool:
    return controller.opened is not None and controller.opened.playable


def _display(field: str) -> Callable[[Controller], bool]:
    return lambda controller: bool(getattr(controller.display, field))


def _toggle(field: str) -> Callable[[ActionTarget], object]:
    return lambda window: window.controller.set_display(
        **{field: not getattr(window.controller.display, field)}
    )


ACTIONS: tuple[ActionSpec, ...] = (
    ActionSpec(
        "open_file", "&Open a file …", "file", lambda w: w.dialogs.open_file(),
        ("Ctrl+O",), "Open a video or a picture", tool="Open",
    ),
    ActionSpec(
        "open_folder", "Open a &folder of pictures …", "file", lambda w: w.dialogs.open_folder(),
        ("Ctrl+Shift+O",), "Play the pictures of a folder as a video",
    ),
    ActionSpec(
        "open_camera", "Open the &camera", "file", lambda w: w.controller.open("0"),
        ("Ctrl+K",), "Open the first camera", tool="Camera",
    ),
    ActionSpec(
        "open_address", "Open an &address …", "file", lambda w: w.dialogs.open_address(),
        ("Ctrl+L",), "Open a network stream",
    ),
    ActionSpec(
        "open_weights", "Open &weights …", "file", lambda w: w.dialogs.open_weights(),
        ("Ctrl+Shift+W",), "Use the weights of a file",
    ),
    ActionSpec(
        "close_source", "C&lose the source", "file", lambda w: w.controller.close_source(),
        ("Ctrl+W",), "Close what is open", enabled=_is_open,
    ),
    ActionSpec(
        "snapshot", "&Snapshot", "file", lambda w: w.controller.snapshot(),
        ("Ctrl+S",), "Save the picture that is shown", enabled=_is_open, tool="Snapshot", parts=True,
    ),
    ActionSpec(
        "record", "&Record", "file", lambda w: w.controller.toggle_recording(),
        ("Ctrl+R",), "Start or stop recording what is shown",
        lambda c: c.session.recording, lambda c: _is_open(c) or c.session.recording, tool="Record",
        tool_checked="Stop",
    ),
    ActionSpec(
        "annotate", "A&nnotate a file …", "file", lambda w: w.dialogs.annotate(),
        ("Ctrl+E",), "Save an annotated copy of a file, in the background",
    ),
    ActionSpec(
        "output_folder", "Ou&tput folder …", "file", lambda w: w.dialogs.choose_output(),
        tip="Choose the folder for recordings and snapshots",
    ),
    ActionSpec(
        "quit", "&Quit", "file", lambda w: w.close(), ("Ctrl+Q",), "Close the window", parts=True
    ),
    ActionSpec(
        "play", "&Play or pause", "playback", lambda w: w.controller.toggle_play(),
        ("Space",), "Pause or resume", enabled=_is_playable,
    ),
    ActionSpec(
        "step_on", "One frame &forward", "playback", lambda w: w.controller.step(1),
        ("Right",), "Show the next frame, and pause", enabled=_is_playable,
    ),
    ActionSpec(
        "step_back", "One frame &back", "playback", lambda w: w.controller.step(-1),
        ("Left",), "Show the frame before, and pause", enabled=_is_playable,
    ),
    ActionSpec(
        "start_over", "From the &start", "playback", lambda w: w.controller.seek(0.0),
        ("Home",), "Go to the first frame", enabled=_is_playable,
    ),
    ActionSpec(
        "next_instance", "&Next instance", "playback", lambda w: w.controller.select_next(1),
        ("N",), "Select the next instance, from left to right", enabled=_is_open, parts=True,
    ),
    ActionSpec(
        "previous_instance", "Pre&vious instance", "playback", lambda w: w.controller.select_next(-1),
        ("Shift+N",), "Select the instance before", enabled=_is_open,
    ),
    ActionSpec(
        "masks", "&Masks", "view", _toggle("masks"), ("M",), "Fill the masks", _display("masks"),
        tool="Masks",
    ),
    ActionSpec("outlines", "&Outlines", "view", _toggle("outlines"), ("O",), "Draw the masks' outlines",
               _display("outlines")),
    ActionSpec("boxes", "&Boxes", "view", _toggle("boxes"), ("B",), "Draw boxes", _display("boxes"),
               tool="Boxes"),
    ActionSpec("labels", "&Labels", "view", _toggle("labels"), ("L",), "Draw classes and scores",
               _display("labels"), tool="Labels"),
    ActionSpec("show_fps", "Frame &rate in the picture", "view", _toggle("show_fps"), ("R",),
               "Draw the frame rate into the picture", _display("show_fps")),
    ActionSpec(
        "privacy", "&Privacy", "view", _toggle("privacy"), ("P",),
        "Make people unrecognisable in the picture and in everything that is saved; "
        "a person who is not detected is not hidden", _display("privacy"), tool="Privacy", parts=True,
    ),
    ActionSpec(
        "stabilise", "Stabilis&er", "view", lambda w: w.controller.stabilise_next(),
        ("S",), "Stabilise masks: off, light, strong, and off again; the status bar shows which",
        parts=True,
    ),
    ActionSpec(
        "compare", "&Compare", "view", lambda w: w.controller.comparer.toggle(),
        ("C",), "Compare two settings left and right of a line; they are chosen in the Compare panel",
        checked=lambda c: c.comparer.settings.on,
    ),
    ActionSpec("split_left", "Line to the lef&t", "view", lambda w: w.controller.comparer.move(-1),
               ("Ctrl+Left",), "Move the line of a comparison to the left",
               enabled=lambda c: c.shows_two_sides),
    ActionSpec("split_right", "Line to the rig&ht", "view", lambda w: w.controller.comparer.move(1),
               ("Ctrl+Right",), "Move the line of a comparison to the right",
               enabled=lambda c: c.shows_two_sides),
    ActionSpec("zoom_in", "Zoom &in", "view", lambda w: w.view.zoom(1.25), ("Ctrl++", "Ctrl+="),
               "Show the picture larger; the wheel does too", parts=True),
    ActionSpec("zoom_out", "Zoom o&ut", "view", lambda w: w.view.zoom(0.8), ("Ctrl+-",),
               "Show the picture smaller"),
    ActionSpec("fit", "Fit the &window", "view", lambda w: w.view.fit(), ("Ctrl+0",),
               "Show the whole picture"),
    ActionSpec("full_screen", "&Full screen", "view", lambda w: w.toggle_full_screen(), ("F", "F11"),
               "Show only the picture and its playback; also by a double click", tool="Full screen"),
    ActionSpec("colours_system", "Colours of the &system", "view", lambda w: w.set_colours("system"),
               tip="Dark or light like the system", checked=lambda c: c.settings.colours == "system",
               parts=True),
    ActionSpec("colours_light", "Li&ght colours", "view", lambda w: w.set_colours("light"),
               tip="Always light", checked=lambda c: c.settings.colours == "light"),
    ActionSpec("colours_dark", "&Dark colours", "view", lambda w: w.set_colours("dark"),
               tip="Always dark", checked=lambda c: c.settings.colours == "dark"),
    ActionSpec("escape", "Bac&k to the picture", "view", lambda w: w.escape(), ("Esc",),
               "Leave the full screen, or deselect, or move the focus to the picture", parts=True),
    ActionSpec("shortcuts", "&Shortcuts", "help", lambda w: w.show_shortcuts(), ("?", "F1"),
               "Show the table of shortcuts"),
    ActionSpec("about", "&About LiveMask", "help", lambda w: w.dialogs.about(), tip="About this application"),
)  # fmt: skip
"""The actions, in the order in which they stand in their menus."""
