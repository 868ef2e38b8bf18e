"""Nobody is to be seen with privacy on: neither in the view nor in anything that leaves it."""

from __future__ import annotations

import dataclasses
import json
import threading
from pathlib import Path
from time import monotonic

import cv2
import numpy as np
import pytest
import torch

from pipeline.frame import Result
from pipeline.live.events import Closed, Failed, Loaded, Loading, Saved
from pipeline.settings import DisplaySettings
from tests.clips import write_clip
from tests.pipeline.live.sessions import (
    PATIENCE,
    SETTINGS,
    Listener,
    Loads,
    OpensWhatItIsTold,
    Start,
    blotches,
    detail,
    newest,
    only_file,
    playing,
    wait_until,
)
from tests.pipeline.small_engines import LinearEngine
from tests.pipeline.standins import Source as CountedSource
from tests.pipeline.standins import fail

BARE = DisplaySettings(masks=False, outlines=False, boxes=False, labels=False)  # lines would be detail
PRIVATE = dataclasses.replace(BARE, privacy=True)
WHOLE = (160, 120)  # width and height of a clip of noise


class SeesOnePerson(LinearEngine):
    """Sees, with little certainty, one person who fills the picture."""

    def start(self, images):
        raw = super().start(images)()
        logits = raw.class_logits * 0
        logits[..., 0] = 9.0
        logits[:, -1] = logits.new_tensor([1.0, 0.0, -9.0, -9.0])  # a person by 0.27
        deltas = raw.box_deltas * 0
        coefficients = raw.mask_coefficients * 0 + 1
        outputs = raw._replace(class_logits=logits, box_deltas=deltas, mask_coefficients=coefficients)
        return lambda: outputs


class Held(SeesOnePerson):
    """Waits where it is told to."""

    def __init__(self, *args) -> None:
        super().__init__(*args)
        self.go_on = threading.Event()
        self.go_on.set()
        self.holds = threading.Event()

    def start(self, images):
        if not self.go_on.is_set():
            self.holds.set()
            assert self.go_on.wait(PATIENCE)
        return super().start(images)


class Noise(CountedSource):
    """Gives noise."""

    def __init__(self, *args, **changes) -> None:
        super().__init__(*args, **changes)
        self.info = dataclasses.replace(self.info, width=WHOLE[0], height=WHOLE[1])

    def read(self):
        frame = super().read()
        return frame and dataclasses.replace(frame, image=blotches(0, *WHOLE))


def noisy_clip(folder: Path, frames: int = 50) -> str:
    path = folder / "noise.mp4"
    write_clip(path, size=WHOLE, frames=frames, picture=blotches, options={"crf": "1"})
    return str(path)


def is_hidden(result: Result) -> bool:
    return detail(result.frame.image) < 10 and detail(result.annotated) < 10


def test_everything_is_hidden_until_a_network_is_there_that_knows_people(
    start: Start, tmp_path: Path, loads: Loads
) -> None:
    loads.go_on.clear()
    session = start(PRIVATE)
    session.open(noisy_clip(tmp_path))
    assert is_hidden(newest(session))
    assert "no network" in session.hidden_reason


def test_everything_is_hidden_with_a_network_that_does_not_know_people(
    start: Start, tmp_path: Path, listener: Listener, loads: Loads
) -> None:
    loads.class_names = ("cat", "dog", "bird")
    session = start(PRIVATE)
    session.open(noisy_clip(tmp_path))
    listener.wait_for(Loaded)
    shown = newest(session, lambda result: result.detections.class_names == loads.class_names)
    assert is_hidden(shown)
    assert "does not know people" in session.hidden_reason


def test_people_are_hidden_who_are_too_uncertain_or_of_no_class_to_be_drawn(
    start: Start, tmp_path: Path, listener: Listener, loads: Loads
) -> None:
    loads.engine = SeesOnePerson
    session = start(PRIVATE)
    session.detect(dataclasses.replace(SETTINGS, score_threshold=0.6, classes=("dog",)))
    session.open(noisy_clip(tmp_path))
    listener.wait_for(Loaded)
    shown = newest(session, lambda _: session.hidden_reason == "")
    assert len(shown.detections) == 0, "nothing is drawn that is not asked for"
    assert is_hidden(shown)


def test_whoever_was_not_looked_for_before_privacy_began_is_not_seen_in_frames_on_their_way(
    start: Start, tmp_path: Path, listener: Listener, loads: Loads
) -> None:
    engine = Held(torch.device("cpu"), lambda tensor: tensor)
    loads.engine = lambda device, put: engine
    session = start(BARE)
    session.detect(dataclasses.replace(SETTINGS, classes=("dog",)))
    session.open(noisy_clip(tmp_path))
    listener.wait_for(Loaded)
    before = newest(session)
    engine.go_on.clear()
    assert engine.holds.wait(PATIENCE)  # a frame in which a dog is looked for, and nobody else
    session.display(PRIVATE)
    painter = session._active.run.painter
    wait_until(lambda: painter.display.privacy)
    results: list[Result] = []
    session.latest.write = results.append
    engine.go_on.set()
    wait_until(lambda: len(results) > 3)
    assert not is_hidden(before)
    assert all(map(is_hidden, results))


def test_nobody_is_seen_from_the_moment_of_asking_whatever_keeps_the_session_busy(
    start: Start, tmp_path: Path, listener: Listener, loads: Loads
) -> None:
    loads.engine = SeesOnePerson
    session = start(BARE)
    session.open(noisy_clip(tmp_path))
    listener.wait_for(Loaded)
    playing(session)
    go_on = threading.Event()
    session._control.put("busy", lambda: go_on.wait(PATIENCE) and None)
    session.display(PRIVATE)
    asked = monotonic()
    try:
        shown = newest(session, lambda result: result.frame.captured_at > asked)
    finally:
        go_on.set()
    assert is_hidden(shown)
    newest(session, lambda result: len(result.detections))  # and they are looked for once it is free again
    session.display(BARE)
    newest(session, lambda result: not is_hidden(result))


def test_a_snapshot_asked_for_right_after_privacy_shows_nobody(
    start: Start, tmp_path: Path, listener: Listener, loads: Loads
) -> None:
    loads.engine = SeesOnePerson
    session = start(BARE)
    session.open(noisy_clip(tmp_path))
    listener.wait_for(Loaded)
    newest(session, lambda result: len(result.detections))
    playing(session).pause()
    session.display(PRIVATE)
    session.snapshot(tmp_path / "out")
    (path,) = listener.wait_for(Saved).paths
    assert detail(cv2.imread(str(path))) < 10


def test_json_and_prototypes_tell_nothing_finer_than_the_picture(
    start: Start, tmp_path: Path, listener: Listener, loads: Loads
) -> None:
    loads.engine = SeesOnePerson
    session = start(PRIVATE)
    session.open(noisy_clip(tmp_path))
    session.inspect(True)
    listener.wait_for(Loaded)
    shown = newest(session, lambda result: result.inspection is not None and len(result.detections))
    playing(session)
    session.record(tmp_path / "out", with_json=True)
    newest(session, lambda result: result.frame.index > shown.frame.index + 9)
    session.stop_recording()
    listener.wait_for(Saved)
    assert listener.all(Failed) == []
    lines = only_file(tmp_path / "out", "*.jsonl").read_text().splitlines()
    found = [json.loads(line)["detections"] for line in lines]
    assert any(found)
    assert shown.detections.masks.any(0).all(), "of a person who fills the picture no outline is left"
    prototypes = shown.inspection.prototypes
    assert np.ptp(prototypes, axis=(0, 1)).max() < 0.5, "nor any in the prototypes"


def test_switching_privacy_never_waits_for_a_network_that_is_loaded(
    start: Start, tmp_path: Path, listener: Listener, loads: Loads
) -> None:
    loads.engine = SeesOnePerson
    session = start(BARE)
    session.open(noisy_clip(tmp_path))
    listener.wait_for(Loaded)
    loads.go_on.clear()
    session.detect(dataclasses.replace(SETTINGS, weights="another"))
    listener.wait_for(Loading, 2)
    session.display(PRIVATE)
    assert is_hidden(newest(session, is_hidden))


def test_the_last_picture_of_a_source_that_is_over_is_hidden_too(
    start: Start, tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.live.run._PATIENCE", 0.05)
    seen = threading.Event()
    noise = Noise(None, live=True, at=1, fault=lambda: seen.wait(PATIENCE) and fail())
    session = start(BARE, OpensWhatItIsTold(noise=lambda _: noise))
    session.open("noise")
    before = newest(session)
    seen.set()
    listener.wait_for(Closed)
    session.display(PRIVATE)
    after = newest(session, lambda result: result is not before)
    assert not is_hidden(before)
    assert is_hidden(after)
    session.snapshot(tmp_path)
    assert "no picture" in listener.wait_for(Failed, 2).message
