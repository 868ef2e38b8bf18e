"""What tests ask of a window at work, with a real session, the shipped weights and the demo clip."""

from __future__ import annotations

import threading

from PyQt6.QtCore import QCoreApplication, QEvent
from PyQt6.QtWidgets import QApplication

from assets.make_demo_video import VIDEO
from tests.pipeline.standins import Source
from ui.control.controller import Controller
from ui.control.notices import Level
from ui.view.geometry import ViewGeometry

DEMO = str(VIDEO)
PATIENCE = 60_000  # milliseconds, on a machine with much else to do


def in_view(geometry: ViewGeometry, x: float, y: float) -> tuple[float, float]:
    """Return the point of the view under which a point of the frame lies."""
    left, top, width, height = geometry.target
    return left + x * width / geometry.frame[0], top + y * height / geometry.frame[1]


def camera(*_: object, **changes: object) -> Source:
    made = Source(None, live=True, pace=0.01, **changes)
    made.warnings = ()
    return made


def found(window) -> bool:
    """Whether instances are shown. A clip that ends before there is a network is played again."""
    return finds(window.controller)


def finds(controller: Controller) -> bool:
    """The same, of what a controller has."""
    playback = controller.session.playback
    if controller.result is not None and len(controller.result.detections) > 0:
        return True
    if playback is not None and playback.at_end and controller.session.loaded is not None:
        playback.play()
    return False


def pauses(window) -> bool:
    """Whether playing is paused, and the frame where it is paused is shown."""
    playback, result = window.controller.session.playback, window.controller.result
    if playback is None or playback.playing or result is None:
        return False
    return abs(float(result.frame.time) - playback.position) < 1e-3


def rests(window) -> bool:
    """The same, with the frame's instances."""
    return pauses(window) and found(window)


def told(window, level: Level, words: str) -> bool:
    return any(notice.level is level and words in notice.text for notice in window.notices.notices)


def widgets() -> int:
    """How many there are, once those are gone that were given up."""
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    return len(QApplication.allWidgets())


def threads() -> int:
    """How many run."""
    return threading.active_count()


def pause_demo(window, until) -> None:
    """Pause in the middle of the demo, which is opened where something else is, or nothing."""
    controller = window.controller
    if controller.session.playback is None:
        controller.open(DEMO)
        until(lambda: found(window) and controller.session.playback is not None)
    controller.session.playback.pause()
    until(lambda: pauses(window))
    # that may be the very moment that is sought: the seek itself is waited for too
    index = controller.result.frame.index
    controller.seek(1.0)
    until(lambda: rests(window) and controller.result.frame.index > index)
    assert abs(float(controller.result.frame.time) - 1.0) < 0.05
    window.menus.refresh()
