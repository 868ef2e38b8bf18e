"""A session that shows sources, with real files and a small network."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

from pipeline.live.events import Closed, Failed, Loaded, Opened, Opening, Saved
from pipeline.live.session import LiveSession
from pipeline.settings import DetectionSettings, DisplaySettings
from tests.clips import write_clip
from tests.pipeline.live.sessions import (
    PATIENCE,
    PRIVATE,
    SETTINGS,
    Listener,
    Loads,
    Start,
    newest,
    playing,
    wait_until,
)
from tests.source_tree import ROOT


def test_importing_it_loads_nothing_heavy() -> None:
    heavy = {"torch", "torchvision", "cv2", "av", "openvino", "PIL"}
    code = f"import sys, pipeline.live.session; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_before_a_source_is_opened_it_loads_nothing_and_starts_no_thread(start: Start, loads: Loads) -> None:
    session = start()
    session.detect(dataclasses.replace(SETTINGS, weights="another"))
    assert (session.alive, loads.asked, session.loaded) == ((), [], None)
    assert session.latest.peek() is session.playback is session.metrics is None
    assert (session.spans, session.recording, session.hidden_reason) == ((), False, "")


def test_a_file_is_shown_before_the_network_is_there_and_with_masks_from_then_on(
    start: Start, clip: str, listener: Listener, loads: Loads
) -> None:
    loads.go_on.clear()
    session = start()
    session.open(clip)
    opened = listener.wait_for(Opened)
    assert (opened.playable, opened.seekable, opened.info.path) == (True, True, Path(clip))
    assert len(newest(session).detections) == 0
    loads.go_on.set()
    loaded = listener.wait_for(Loaded)
    assert (loaded.class_names, loaded.image_size) == (("person", "dog", "bird"), 64)
    assert session.loaded == loaded
    shown = newest(session, lambda result: len(result.detections))
    assert shown.annotated is not None
    assert not np.array_equal(shown.annotated, shown.frame.image)
    assert session.metrics is not None
    assert session.metrics.frames > 0
    assert session.spans
    assert listener.all(Failed) == []


def test_a_file_that_is_not_there_is_told_and_the_next_one_is_shown(
    start: Start, clip: str, listener: Listener
) -> None:
    session = start()
    session.open("nowhere.mp4")
    failed = listener.wait_for(Failed)
    assert failed.message == "nowhere.mp4: no such file"
    assert "Traceback" in failed.details
    listener.wait_for(Closed)
    session.open(clip)
    newest(session)
    kinds = [kind for kind in listener.kinds if kind not in ("Loading", "Loaded")]
    assert kinds == ["Opening", "Failed", "Closed", "Opening", "Opened"]


def test_a_source_takes_the_place_of_another_in_order(
    start: Start, tmp_path: Path, listener: Listener
) -> None:
    session = start()
    for name in ("a.mp4", "b.mp4"):
        write_clip(tmp_path / name, frames=3)
        session.open(str(tmp_path / name))
        listener.wait_for(Opened, count=1 if name == "a.mp4" else 2)
    told = [event for event in listener.events if isinstance(event, (Opening, Closed))]
    first, second = (str(tmp_path / name) for name in ("a.mp4", "b.mp4"))
    assert told == [Opening(first), Opening(second), Closed(first)]


def test_of_several_sources_that_are_asked_for_at_once_the_newest_is_shown(
    start: Start, tmp_path: Path, listener: Listener
) -> None:
    session = start()
    for number in range(10):
        write_clip(tmp_path / f"{number}.mp4", frames=2)
    for number in range(10):
        session.open(str(tmp_path / f"{number}.mp4"))
    newest(session, lambda _: session.latest.info and session.latest.info.name.endswith("9.mp4"))
    assert len(listener.all(Opening)) == len(listener.all(Closed)) + 1


def test_a_source_that_is_closed_leaves_nothing_behind(start: Start, clip: str, listener: Listener) -> None:
    session = start()
    session.open(clip)
    newest(session)
    session.close_source()
    assert listener.wait_for(Closed).name == clip
    wait_until(lambda: session.latest.peek() is None)
    assert session.playback is None
    session.open(clip)
    newest(session)


def test_a_picture_that_stands_still_is_made_anew_whenever_something_changes(
    start: Start, tmp_path: Path, listener: Listener
) -> None:
    write_clip(tmp_path / "still.mp4", frames=1)
    session = start()
    session.open(str(tmp_path / "still.mp4"))
    found = newest(session, lambda result: len(result.detections))  # the network came after the frame
    session.inspect(True)
    inspected = newest(session, lambda result: result.inspection is not None)
    assert inspected.inspection.coefficients.shape == (len(inspected.detections), 32)
    session.inspect(False)
    newest(session, lambda result: result.inspection is None)
    session.display(DisplaySettings(masks=False, outlines=False, boxes=False, labels=False))
    newest(session, lambda result: np.array_equal(result.annotated, result.frame.image))
    session.select(found.detections.select([0]))
    newest(session, lambda result: result.selected is not None)
    session.deselect()
    newest(session, lambda result: result.selected is None)
    session.detect(dataclasses.replace(SETTINGS, score_threshold=1.0))
    newest(session, lambda result: not len(result.detections))


def test_a_picture_for_the_background_that_cannot_be_read_is_told_once(
    start: Start, clip: str, tmp_path: Path, listener: Listener
) -> None:
    session = start()
    session.open(clip)
    newest(session)
    for opacity in (0.1, 0.2):
        session.display(
            DisplaySettings(background="picture", background_picture=tmp_path / "no.png", opacity=opacity)
        )
    newest(session, lambda _: listener.all(Failed))
    session.close_source()
    listener.wait_for(Closed)
    assert [failed.task for failed in listener.all(Failed)] == ["display"]


def test_weights_that_are_not_in_the_catalogue_cannot_be_downloaded(start: Start, listener: Listener) -> None:
    session = start()
    session.download("yolact_bsae")
    failed = listener.wait_for(Failed)
    assert failed.task == "download"
    assert "yolact_base" in failed.message


def test_weights_that_are_there_need_no_download(start: Start, listener: Listener) -> None:
    session = start()
    session.download("livemask_s")
    saved = listener.wait_for(Saved)
    assert saved.paths[0].name == "livemask_s.pt"
    assert "licence: research only" in saved.summary


def test_a_source_replaced_fifty_times_leaves_no_thread_and_is_closed_each_time(
    start: Start, clip: str, listener: Listener
) -> None:
    session = start()
    for number in range(50):
        session.open(clip)
        listener.wait_for(Opened, number + 1)
        newest(session)
        assert len(session.alive) <= 7
    assert session.close(PATIENCE)
    assert len(listener.all(Closed)) == 50


def test_the_shipped_network_finds_the_people_of_the_demo_video() -> None:
    listener = Listener()
    session = LiveSession(listener, DetectionSettings(), PRIVATE)
    session.open(str(ROOT / "assets" / "demo.mp4"))
    try:
        newest(session)
        hidden = session.hidden_reason
        assert "no network" in hidden
        playing(session)  # on a busy machine its end comes before the network
        listener.wait_for(Loaded)
        shown = newest(session, lambda result: "person" in result.detections.names)
        assert session.hidden_reason == ""
        picture = cv2.resize(shown.frame.image, None, fx=0.1, fy=0.1)
        assert picture.std() > 10, "the rest of the picture is still there"
    finally:
        assert session.close()
    assert listener.all(Failed) == []
