"""What `bench --gui` notes of the window: how late its event loop is, how old its pictures are, and when."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from PyQt6.QtCore import QTimer

from app.benchmarks import gui_watch
from app.benchmarks.gui_watch import RATE, Probe, Watcher
from pipeline.live.events import Failed, Loaded
from tests.ui.standin_session import StandInSession, result_of
from ui.control.controller import Controller
from ui.control.settings import WindowSettings
from ui.window.qt import prepare_qt

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
prepare_qt()

LOADED = Loaded(Path("w.pt"), "torch fp32 on cpu", ("person",), 320, 32)


@pytest.fixture
def controller(qapp):
    made = Controller(WindowSettings(), make_session=StandInSession)
    yield made
    made.close()
    made.deleteLater()


@pytest.fixture
def watcher(controller, monkeypatch):
    """One that watches for half a second."""
    monkeypatch.setattr(gui_watch, "WARM_UP", 0.1)
    return Watcher(controller, 0.5)


@pytest.fixture
def paints(controller):
    """Call it for a picture every 10 ms, each 1 ms older than the one before."""
    timer = QTimer()
    timer.timeout.connect(lambda: setattr(controller, "shown_age", controller.shown_age + 0.001))
    yield lambda: timer.start(10)
    timer.stop()  # or it fires while the garbage collector takes its slot apart


def test_an_event_loop_that_is_held_up_is_late_by_as_much(controller, qtbot):
    probe = Probe(controller)
    qtbot.wait(50)
    probe.restart()
    QTimer.singleShot(10, lambda: time.sleep(0.2))
    qtbot.waitUntil(lambda: (seen := probe.delays.summary()).max > 0.19 and seen.count > 20)
    assert probe.delays.summary().p50 < 0.1


def test_every_picture_counts_once(controller, qtbot):
    probe = Probe(controller)
    for age in (0.05, 0.04, 0.06):
        controller.shown_age = age
        qtbot.waitUntil(lambda age=age: age in probe.ages)
    qtbot.wait(20)
    assert list(probe.ages) == [0.05, 0.04, 0.06]


def test_the_clip_is_played_over_and_over_at_thirty_frames_a_second(controller, watcher):
    controller.session.opens()
    playback = controller.session.playback
    assert playback.loop
    assert playback.speed * 25 == RATE


def test_watching_begins_with_the_first_picture_of_the_network(controller, watcher, paints, qtbot):
    ended = []
    watcher.ended = lambda: ended.append(True)
    controller.session.opens()
    controller.result = result_of()
    paints()
    qtbot.wait(250)
    assert "loading" not in watcher.seen
    controller.session.emit(LOADED)
    controller.result = result_of(timings={"forward": 0.01})
    qtbot.waitUntil(lambda: bool(ended), timeout=10_000)
    assert watcher.error == ""
    assert watcher.seen["seconds"] >= 0.5
    assert watcher.seen["growth"] > 0
    assert watcher.seen["ages"]["p50"] < watcher.seen["ages"]["p95"]
    assert watcher.seen["loading"]["max"] >= watcher.seen["loading"]["p99"] >= 0


def test_what_fails_ends_the_watching_and_is_told(controller, watcher, qtbot):
    ended = []
    watcher.ended = lambda: ended.append(True)
    controller.session.emit(Failed("network", "no such weights"))
    assert ended
    assert watcher.error == "no such weights"


def test_a_window_that_is_closed_early_is_told_in_a_sentence(watcher, qtbot):
    watcher.check()
    assert watcher.error == "the window was closed while loading, before it was measured"
    qtbot.wait(150)  # it looks no more
    assert watcher.seen == {}


def test_a_window_that_was_measured_is_closed_without_a_complaint(controller, watcher, paints, qtbot):
    ended = []
    watcher.ended = lambda: ended.append(True)
    controller.session.opens()
    controller.session.emit(LOADED)
    controller.result = result_of(timings={"forward": 0.01})
    paints()
    qtbot.waitUntil(lambda: bool(ended), timeout=10_000)
    watcher.check()
    assert watcher.error == ""


def test_pictures_that_stop_are_told(controller, watcher, qtbot):
    ended = []
    watcher.ended = lambda: ended.append(True)
    controller.session.opens()
    controller.session.emit(LOADED)
    controller.result = result_of(timings={"forward": 0.01})
    qtbot.waitUntil(lambda: bool(ended), timeout=10_000)
    assert "only 0 pictures were painted" in watcher.error
