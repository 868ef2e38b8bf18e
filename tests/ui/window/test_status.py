import dataclasses
from pathlib import Path

import pytest
from PyQt6.QtWidgets import QProgressBar, QPushButton

from pipeline.live.events import Failed, Loaded, Loading, Opening, Progress, RecordingStarted, Saved
from tests.ui.standin_session import result_of
from ui.window.status import StatusBar
from ui.window.task_bar import TaskBar

LOADED = Loaded(Path("/w/small.pt"), "torch fp32 on cpu: nothing else is there", ("person",), 320, 32)


@pytest.fixture
def bar(qtbot, controller):
    made = StatusBar(controller)
    qtbot.addWidget(made)
    return made


def test_it_tells_what_is_open_and_how_it_stands(bar, controller, session):
    assert bar.source.text() == "No source"
    session.emit(Opening("clip.mp4"))
    assert bar.source.text() == "Opening clip.mp4 …"
    session.opens("clip.mp4")
    assert bar.source.text().startswith("clip.mp4")
    assert "320 × 240" in bar.source.text()
    assert bar.state.text() == "Playing"

    session.playback.pause()
    controller.set_display(privacy=True)
    bar.refresh()
    assert bar.state.text() == "Paused · Privacy on"

    session.playback.at_end = True
    bar.refresh()
    assert bar.state.text() == "At the end · Privacy on"


def test_it_tells_how_still_masks_are_kept_and_that_two_sides_are_shown(bar, controller, session):
    session.opens("clip.mp4")
    controller.stabilise_next()
    controller.result = dataclasses.replace(result_of(), other=result_of().detections)
    bar.refresh()
    assert bar.state.text() == "Playing · Stabiliser light · Comparing"


def test_a_recording_is_told_in_words_with_its_length(bar, controller, session):
    assert bar.recording.isHidden()
    session.recording = True
    session.emit(RecordingStarted((Path("/x/a.mp4"),)))
    controller.recording_since -= 72.5
    bar.refresh()
    assert bar.recording.text() == "● Recording 1:12"
    assert not bar.recording.isHidden()

    session.recording = False
    bar.refresh()
    assert bar.recording.isHidden()


def test_a_camera_is_live_and_a_source_that_failed_is_none(bar, session):
    session.opens("0", live=True)
    assert bar.state.text() == "Live"
    session.ends("0")
    session.emit(Opening("gone.mp4"))
    session.emit(Failed("source", "no such file"))
    assert bar.source.text() == "No source"


def test_the_network_is_told_and_the_one_before_goes_on_when_another_fails(bar, session):
    session.emit(Loading("/w/small.pt"))
    assert bar.network.text() == "Loading small.pt …"
    assert not bar.busy.isHidden()
    session.emit(LOADED)
    assert bar.network.text() == "small · torch fp32 on cpu"
    assert "nothing else is there" in bar.network.toolTip()
    assert bar.busy.isHidden()

    session.emit(Loading("/w/broken.pt"))
    session.emit(Failed("recording", "the disk is full"))
    assert bar.network.text() == "Loading broken.pt …"
    session.emit(Failed("network", "broken"))
    assert bar.busy.isHidden()
    assert bar.network.text() == "small · torch fp32 on cpu"


def test_the_rate_is_the_views(bar, controller):
    controller.display_fps = 24.96
    bar.refresh()
    assert bar.rate.text() == "25.0 fps"


def test_a_task_has_a_bar_until_it_is_over_and_can_be_cancelled_where_that_is_possible(qtbot):
    cancelled = []
    tasks = TaskBar({"annotation": lambda: cancelled.append(True)})
    qtbot.addWidget(tasks)
    tasks.progress(Progress("annotation", 0.25, "10 of 40 frames"))
    tasks.progress(Progress("download", None))
    tasks.progress(Progress("annotation", 0.5))
    assert tasks.tasks == ("annotation", "download")

    (cancel,) = tasks.findChildren(QPushButton)
    cancel.click()
    bars = tasks.findChildren(QProgressBar)
    assert cancelled == [True]
    assert (bars[0].value(), bars[0].maximum()) == (500, 1000)
    assert bars[1].maximum() == 0  # busy, as nobody knows how far it is

    tasks.ended(Saved("annotation", (), ""))
    tasks.ended(Failed("download", "no network"))
    tasks.ended(Failed("download", "no network"))
    assert tasks.tasks == ()
    assert tasks.isHidden()
