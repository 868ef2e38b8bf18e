"""The application: creates settings, session and window, and runs until the window is closed."""

from __future__ import annotations

import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from PyQt6.QtCore import QTimer
from PyQt6.QtWidgets import QApplication

from model.errors import LiveMaskError
from pipeline.sinks.part_file import left_in_folder
from ui.control import settings as settings_file
from ui.control.controller import Controller, live_session
from ui.control.notices import Level
from ui.window.main_window import MainWindow
from ui.window.panel_dock import PanelPreloader
from ui.window.qt import missing_display, prepare_qt
from ui.window.theme import apply_style

if TYPE_CHECKING:
    from pipeline.detectors.switchable import Adopt

_SOON = 10  # milliseconds
MOST_NAMED = 3  # files that a notice names
EVERY_CLASS = ("all",)

DISPLAY_ADVICE = (
    "no window can be shown: {reason}; start it on a desktop, or use the command line instead "
    "(`python run_app.py annotate --help`)"
)


@dataclass(frozen=True)
class Start:
    """Options for the start of the window.

    source:  source to open at once, "" for none
    weights: None for the saved ones
    classes: names of classes to detect, () for the saved ones, `EVERY_CLASS` for all
    adopt:   prepares the thread that uses a network, see `SwitchableDetector`
    """

    source: str = ""
    weights: str | None = None
    classes: tuple[str, ...] = ()
    adopt: Adopt | None = None


def run(start: Start, warn: Callable[[str], None]) -> int:
    """Show the window until it is closed and return Qt's exit code. Raises LiveMaskError without a display.

    warn: called with problems that occur after the window is closed
    """
    reason = missing_display()
    if reason:
        raise LiveMaskError(DISPLAY_ADVICE.format(reason=reason))
    prepare_qt()
    app = QApplication(sys.argv[:1])
    app.setApplicationName("LiveMask")
    app.setDesktopFileName("livemask")
    window = make_window(app, start, warn)
    with errors_as_notices(window.controller), _closed_by_ctrl_c(window):
        window.show()
        return app.exec()


def make_window(app: QApplication, start: Start, warn: Callable[[str], None]) -> MainWindow:
    """Return a hidden window with the saved settings; `start.source` is opened once it is visible."""
    path = settings_file.settings_path()
    settings, warning = settings_file.load(path)
    if start.weights is not None:
        settings = replace(settings, detection=replace(settings.detection, weights=start.weights))
    if start.classes:
        classes = None if start.classes == EVERY_CLASS else start.classes
        settings = replace(settings, detection=replace(settings.detection, classes=classes))
    apply_style(app, settings.colours)
    controller = Controller(settings, partial(live_session, adopt=start.adopt))
    window = MainWindow(controller, lambda: _save(controller, warn))
    PanelPreloader(controller.bridge, window)
    if warning:
        controller.notify(Level.WARNING, warning)
    _tell_what_is_left(controller)
    if start.source:
        _open_once_visible(window, start.source)
    return window


def _tell_what_is_left(controller: Controller) -> None:
    """Warn about recordings that an earlier window could not finish."""
    left = left_in_folder(controller.output)
    if left:
        names = ", ".join(path.name for path in left[:MOST_NAMED])
        more = f" and {len(left) - MOST_NAMED} more" if len(left) > MOST_NAMED else ""
        text = (
            f"Unfinished recordings were found in {controller.output}: {names}{more}. "
            "The videos can be played; rename the files to keep, and delete the others"
        )
        controller.notify(Level.WARNING, text, "\n".join(map(str, left)), topic="parts")


def _open_once_visible(window: MainWindow, source: str) -> None:
    """Open a source once the window is visible: importing the libraries for it would delay the window."""
    timer = QTimer(window)

    def look() -> None:
        handle = window.windowHandle()
        if handle is not None and handle.isExposed():
            timer.stop()
            window.controller.open(source)

    timer.timeout.connect(look)
    timer.start(_SOON)


def _save(controller: Controller, warn: Callable[[str], None]) -> None:
    try:
        settings_file.save(controller.settings, settings_file.settings_path())
    except OSError as error:
        warn(f"the settings could not be saved: {error}")


@contextmanager
def errors_as_notices(controller: Controller) -> Iterator[None]:
    """Show uncaught exceptions as notices; PyQt would end the process."""

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        details = "".join(traceback.format_exception(kind, error, trace))
        text = f"An unexpected error occurred ({kind.__name__}: {error}); the window keeps running"
        controller.notify(Level.ERROR, text, details, topic=kind.__name__)

    def tell_of_thread(what: threading.ExceptHookArgs) -> None:
        tell(what.exc_type, what.exc_value or what.exc_type(), what.exc_traceback)

    before = sys.excepthook, threading.excepthook
    sys.excepthook, threading.excepthook = tell, tell_of_thread
    try:
        yield
    finally:
        sys.excepthook, threading.excepthook = before


@contextmanager
def _closed_by_ctrl_c(window: MainWindow) -> Iterator[None]:
    """Close the window without asking on Ctrl-C in the terminal or on SIGTERM.

    Python handles the signal at the window's next timer event.
    """

    def close(number: int, frame: FrameType | None) -> None:
        window.quit()

    Handler = Callable[[int, FrameType | None], object] | int | None  # noqa: N806
    before: dict[signal.Signals, Handler] = {
        number: signal.signal(number, close) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
