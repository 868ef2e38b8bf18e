"""A network that proposes objects in a session: chosen, looked into, and left for another one."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from pipeline.live.events import Failed, Loaded, Saved
from pipeline.settings import ComparisonSettings, ProposalSettings
from tests.pipeline.live.sessions import PRIVATE, SETTINGS, Listener, Start, newest, playing, wait_until

OBJECTS = dataclasses.replace(SETTINGS, weights="objects")


def proposed(result) -> bool:
    return result.detections.class_names == ("object",) and len(result.detections) > 0


def test_a_proposal_network_takes_over_and_gives_back(start: Start, clip: str, listener: Listener) -> None:
    session = start()
    session.open(clip)
    newest(session, lambda result: len(result.detections))
    playing(session)
    session.detect(OBJECTS)
    newest(session, proposed)
    loaded = listener.wait_for(Loaded, 2)
    assert (loaded.proposes, loaded.class_names, loaded.class_thresholds) == (True, ("object",), (0.0,))
    assert (loaded.image_size, loaded.prototypes) == (32, 0)
    assert session.loaded == loaded
    session.detect(SETTINGS)
    newest(session, lambda result: "person" in result.detections.class_names and len(result.detections))
    assert not listener.wait_for(Loaded, 3).proposes
    assert listener.all(Failed) == []


def test_settings_of_proposals_change_what_is_shown(start: Start, clip: str, listener: Listener) -> None:
    session = start()
    session.propose(ProposalSettings(windows=1))
    session.detect(OBJECTS)
    session.open(clip)
    newest(session, lambda result: proposed(result) and len(result.detections) == 1)
    playing(session)
    session.propose(ProposalSettings(windows=9, nms_iou=None))
    newest(session, lambda result: len(result.detections) > 5)
    session.detect(dataclasses.replace(OBJECTS, max_detections=4))
    newest(session, lambda result: len(result.detections) == 4)
    session.detect(dataclasses.replace(OBJECTS, score_threshold=1.0))
    newest(session, lambda result: not len(result.detections))
    assert listener.all(Failed) == []


def test_proposals_are_looked_into_as_long_as_somebody_asks_and_nobody_is_hidden(
    start: Start, clip: str
) -> None:
    session = start()
    session.detect(OBJECTS)
    session.open(clip)
    assert newest(session, proposed).proposals is None
    playing(session)
    session.inspect(True)
    seen = newest(session, lambda result: result.proposals is not None)
    assert seen.inspection is None
    assert all(seen.proposals.growth_of(crop) is not None for crop in seen.detections.crops)
    session.display(PRIVATE)
    newest(session, lambda result: result.proposals is None)
    wait_until(lambda: "does not know people" in session.hidden_reason)
    assert newest(session).proposals is None
    session.inspect(False)
    session.display(dataclasses.replace(PRIVATE, privacy=False))
    newest(session, proposed)
    newest(session, lambda result: proposed(result) and result.proposals is None)


def test_it_is_compared_with_other_settings_of_its_own(start: Start, clip: str, listener: Listener) -> None:
    session = start()
    session.propose(ProposalSettings(windows=3, nms_iou=None))
    session.detect(OBJECTS)
    session.open(clip)
    newest(session, lambda result: len(result.detections) == 3)
    playing(session)
    session.compare(ComparisonSettings(on=True, score_threshold=1.0))
    compared = newest(session, lambda result: result.other is not None and len(result.detections))
    assert len(compared.other) == 0
    session.compare(ComparisonSettings(on=True))
    newest(session, lambda result: result.other is not None and len(result.other) == 3)
    assert listener.all(Failed) == []


def test_what_it_cannot_do_is_told(start: Start, clip: str, listener: Listener) -> None:
    session = start()
    session.detect(OBJECTS)
    session.open(clip)
    newest(session, proposed)
    session.detect(dataclasses.replace(OBJECTS, nms="soft"))
    assert "nms" in listener.wait_for(Failed).message
    session.detect(dataclasses.replace(OBJECTS, nms="class-agnostic"))
    newest(session, proposed)
    assert len(listener.all(Failed)) == 1


def test_a_file_is_annotated_with_the_same_proposals(
    start: Start, clip: str, tmp_path: Path, listener: Listener
) -> None:
    session = start()
    session.propose(ProposalSettings(windows=2, nms_iou=None))
    session.detect(OBJECTS)
    session.annotate(clip, tmp_path / "out.jsonl")
    (path,) = listener.wait_for(Saved).paths
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert {len(record["detections"]) for record in records} == {2}
