"""Measurements within the process of the window: each function runs in one of its own and prints json."""

from __future__ import annotations

import json
import os
import sys
from array import array
from enum import Enum
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
from PyQt6 import QtWidgets
from PyQt6.QtCore import QObject, Qt, QTimer

from app.benchmarks.resident import STATUS, in_bytes
from app.gui import CoreSharing
from pipeline.metrics.histogram import Distribution, Histogram
from ui.window.application import Start, make_window
from ui.window.qt import prepare_qt

if TYPE_CHECKING:
    from ui.control.controller import Controller

RATE = 30.0  # frames a second that the clip is played at
WARM_UP = 3.0  # seconds after the first picture of the network
LOADS = 120.0  # seconds that loading may take
MINUTE = 60.0
_LOOK = 100  # milliseconds between two looks at how far it has come


class Phase(Enum):
    """A phase of watching the window."""

    LOADING = "loading"
    WARMING = "warming up"
    WATCHING = "watching"


def watch(clip: str, weights: str | None, seconds: float) -> None:
    """Show the clip at 30 frames a second, over and over, and print what was seen in so many seconds."""
    prepare_qt()
    app = QtWidgets.QApplication(sys.argv[:1])
    window = make_window(
        app, Start(clip, weights, adopt=CoreSharing()), lambda text: print(text, file=sys.stderr)
    )
    watcher = Watcher(window.controller, seconds)
    watcher.ended = window.close
    window.show()
    app.exec()
    watcher.check()
    if watcher.error:
        sys.exit(watcher.error)
    print(json.dumps(watcher.seen))


class Probe(QObject):
    """Notes, a thousand times a second, how late the event loop is, and the age of every new picture.

    delays: seconds between the time that a timer was due and the time that it was heard
    ages:   seconds, one a picture, and `at`, when each was painted
    """

    def __init__(self, controller: Controller, interval: int = 1) -> None:
        super().__init__(controller)
        self._controller = controller
        self._interval = interval / 1000
        self._last = monotonic()
        self._age = 0.0
        self.restart()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._note)
        self._timer.start(interval)

    def restart(self) -> None:
        """Forget what was noted."""
        self.delays = Histogram()
        self.ages, self.at = array("d"), array("d")

    def _note(self) -> None:
        now = monotonic()
        self.delays.add(now - self._last - self._interval)
        self._last = now
        age = self._controller.shown_age
        if age != self._age:
            self._age = age
            self.ages.append(age)
            self.at.append(now)


class Watcher(QObject):
    """Waits for the network's first picture, lets the window warm up, then watches for so many seconds.

    ended: called at the end, or when something failed, which `error` then tells
    seen:  see `gui.figures`
    """

    def __init__(self, controller: Controller, seconds: float) -> None:
        super().__init__(controller)
        self.controller = controller
        self.ended = lambda: True
        self.error = ""
        self.seen: dict[str, Any] = {}
        self._seconds = seconds
        self._phase = Phase.LOADING
        self._since = monotonic()
        self._memory: dict[str, float] | None = None
        self._probe = Probe(controller)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._look)
        self._timer.start(_LOOK)
        controller.bridge.opened.connect(self._play)
        controller.bridge.failed.connect(lambda event: self._fail(event.message))

    def check(self) -> None:
        """The window is closed; `error` tells it where that was too early for anything to be measured."""
        if self._timer.isActive():
            self._timer.stop()
            self.error = f"the window was closed while {self._phase.value}, before it was measured"

    def _play(self) -> None:
        playback = self.controller.session.playback
        opened = self.controller.opened
        if playback is None or opened is None or not opened.info.frame_rate:
            self._fail("the clip cannot be played: it has no frame rate")
            return
        playback.loop = True
        playback.speed = RATE / float(opened.info.frame_rate)

    def _look(self) -> None:
        passed = monotonic() - self._since
        if self._phase is Phase.LOADING:
            if passed > LOADS:
                self._fail(f"no picture of the network was shown within {LOADS:g} s")
            elif self._network_is_seen():
                self.seen["loading"] = _milliseconds(self._probe.delays.summary())
                self._enter(Phase.WARMING)
        elif self._phase is Phase.WARMING and passed > WARM_UP:
            self._probe.restart()
            self._enter(Phase.WATCHING)
        elif self._phase is Phase.WATCHING:
            self._note_memory(passed)
            if passed > self._seconds:
                self._conclude(passed)

    def _network_is_seen(self) -> bool:
        result = self.controller.result
        return self.controller.loaded is not None and result is not None and "forward" in result.timings

    def _enter(self, phase: Phase) -> None:
        self._phase, self._since = phase, monotonic()

    def _note_memory(self, passed: float) -> None:
        """Record the memory after a minute, or at half of a shorter time."""
        if self._memory is None and STATUS.exists() and passed >= min(MINUTE, self._seconds / 2):
            self._memory = {"at": passed, "first": in_bytes("VmRSS")}

    def _conclude(self, passed: float) -> None:
        if self._memory is not None:
            self._memory["last"] = in_bytes("VmRSS")
        ages = np.array(self._probe.ages)
        if len(ages) < len(_QUANTILES):
            self._fail(f"only {len(ages)} pictures were painted in {passed:.0f} s")
            return
        snapshot = self.controller.session.metrics
        forward = [s.work.p50 for s in snapshot.stages if s.stage == "forward"] if snapshot else []
        self.seen |= {
            "seconds": passed,
            "fps": len(ages) / passed,
            "forward": 1000 * forward[0] if forward else 0.0,
            "ages": dict(zip(_QUANTILES, 1000 * np.quantile(ages, list(_QUANTILES.values())), strict=True)),
            "growth": 1000 * growth(ages),
            "delays": _milliseconds(self._probe.delays.summary()),
            "memory": self._memory,
            "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        }
        self._end()

    def _fail(self, message: str) -> None:
        self.error = self.error or message
        self._end()

    def _end(self) -> None:
        self._timer.stop()
        self.ended()


_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def growth(ages: np.ndarray) -> float:
    """Return the p95 of the last quarter of the ages less that of the first. ages: [N] in their order."""
    quarter = max(len(ages) // 4, 1)
    return float(np.quantile(ages[-quarter:], 0.95) - np.quantile(ages[:quarter], 0.95))


def _milliseconds(seconds: Distribution) -> dict[str, float]:
    return {name: 1000 * getattr(seconds, name) for name in ("p50", "p95", "p99", "max")}
