"""The network of a session: loaded, replaced and set differently while a source is shown."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from pipeline.live.events import Failed, Loaded, Loading, Progress, Saved
from tests.pipeline.live.sessions import (
    PATIENCE,
    SETTINGS,
    Listener,
    Loads,
    NeverRuns,
    Start,
    newest,
    playing,
    wait_until,
)


def test_settings_that_need_no_other_network_apply_at_once(
    start: Start, clip: str, listener: Listener, loads: Loads
) -> None:
    session = start()
    session.open(clip)
    newest(session, lambda result: len(result.detections))
    playing(session)
    session.detect(dataclasses.replace(SETTINGS, score_threshold=1.0))
    newest(session, lambda result: not len(result.detections))
    session.detect(dataclasses.replace(SETTINGS, classes=("dog",), max_detections=1))
    newest(session, lambda result: result.detections.names == ("dog",))
    assert len(loads.asked) == 1
    assert listener.all(Failed) == []


def test_what_a_network_cannot_do_is_told_and_the_rest_goes_on(
    start: Start, clip: str, listener: Listener
) -> None:
    session = start()
    session.open(clip)
    listener.wait_for(Loaded)
    session.detect(dataclasses.replace(SETTINGS, nms="fats"))
    failed = listener.wait_for(Failed)
    assert (failed.task, "'fats'" in failed.message) == ("detection", True)
    newest(session, lambda result: len(result.detections))


def test_classes_that_a_network_does_not_know_are_left_out_and_remembered_for_the_next_one(
    start: Start, clip: str, listener: Listener, loads: Loads
) -> None:
    session = start()
    session.detect(dataclasses.replace(SETTINGS, classes=("cat", "dog")))
    session.open(clip)
    assert listener.wait_for(Loaded).settings.classes == ("dog",)
    newest(session, lambda result: set(result.detections.names) == {"dog"})
    loads.class_names = ("person", "cat", "bird")
    session.detect(dataclasses.replace(SETTINGS, weights="others", classes=("cat", "dog")))
    assert listener.wait_for(Loaded, 2).settings.classes == ("cat",)
    newest(session, lambda result: set(result.detections.names) == {"cat"})
    session.detect(dataclasses.replace(SETTINGS, weights="others", classes=("dog",)))
    newest(session, lambda result: set(result.detections.names) > {"cat"})  # it knows none: all of its own
    assert listener.all(Failed) == []
    assert len(loads.asked) == 2


def test_the_source_goes_on_with_the_network_before_while_another_is_loaded_and_when_that_fails(
    start: Start, clip: str, listener: Listener, loads: Loads
) -> None:
    session = start()
    session.open(clip)
    before = listener.wait_for(Loaded)
    loads.go_on.clear()
    session.detect(dataclasses.replace(SETTINGS, weights="missing"))
    assert listener.wait_for(Loading, 2).what == "missing"
    playing(session)
    at = newest(session, lambda result: len(result.detections)).frame.index
    newest(session, lambda result: len(result.detections) and result.frame.index > at + 3)
    loads.go_on.set()
    failed = listener.wait_for(Failed)
    assert failed.task == "network"
    assert "an unexpected error" in failed.message
    assert "no such weights" in failed.details
    at = newest(session).frame.index
    newest(session, lambda result: len(result.detections) and result.frame.index > at + 3)
    assert session.loaded == before


def test_what_failed_to_load_is_tried_again_with_whatever_is_asked_for_next(
    start: Start, clip: str, listener: Listener, loads: Loads
) -> None:
    session = start()
    session.open(clip)
    before = listener.wait_for(Loaded)
    session.detect(dataclasses.replace(SETTINGS, weights="others", nms="fats"))
    assert "'fats'" in listener.wait_for(Failed).message
    assert session.loaded == before
    session.detect(dataclasses.replace(SETTINGS, weights="others", classes=("dog",)))
    assert str(listener.wait_for(Loaded, 2).weights) == "others"
    newest(session, lambda result: set(result.detections.names) == {"dog"})
    session.detect(SETTINGS)
    assert listener.wait_for(Loaded, 3) == before
    assert len(listener.all(Failed)) == 1


def test_whoever_returns_to_the_network_in_use_after_another_failed_loads_nothing(
    start: Start, clip: str, listener: Listener, loads: Loads
) -> None:
    session = start()
    session.open(clip)
    listener.wait_for(Loaded)
    session.detect(dataclasses.replace(SETTINGS, weights="missing"))
    listener.wait_for(Failed)
    session.detect(dataclasses.replace(SETTINGS, score_threshold=1.0))
    newest(session, lambda result: not len(result.detections))
    assert [settings.weights for settings in loads.asked] == [None, "missing"]


def test_what_cannot_be_read_is_not_read_again_because_something_else_is_changed(
    start: Start, clip: str, listener: Listener, loads: Loads
) -> None:
    session = start()
    session.open(clip)
    listener.wait_for(Loaded)
    missing = dataclasses.replace(SETTINGS, weights="missing")
    session.detect(missing)
    listener.wait_for(Failed)
    for step in range(1, 21):
        session.detect(dataclasses.replace(missing, score_threshold=step / 20))
    newest(session, lambda result: not len(result.detections))
    assert [settings.weights for settings in loads.asked] == [None, "missing"]
    assert len(listener.all(Failed)) == 1
    session.detect(dataclasses.replace(SETTINGS, weights="others"))
    listener.wait_for(Loaded, 2)
    session.detect(missing)
    listener.wait_for(Failed, 2)


def test_of_several_networks_that_are_asked_for_only_the_newest_is_loaded(
    start: Start, clip: str, listener: Listener, loads: Loads
) -> None:
    session = start()
    loads.go_on.clear()
    session.open(clip)
    assert loads.begun.acquire(timeout=PATIENCE)
    for name in ("a", "b", "c"):
        session.detect(dataclasses.replace(SETTINGS, weights=name))
    loads.go_on.set()
    assert str(listener.wait_for(Loaded).weights) == "c"
    assert [settings.weights for settings in loads.asked] == [None, "c"]


def test_whoever_returns_to_the_network_in_use_while_another_is_loaded_keeps_it(
    start: Start, clip: str, listener: Listener, loads: Loads
) -> None:
    session = start()
    session.open(clip)
    first = listener.wait_for(Loaded)
    loads.go_on.clear()
    session.detect(dataclasses.replace(SETTINGS, weights="another"))
    listener.wait_for(Loading, 2)
    session.detect(SETTINGS)
    loads.go_on.set()
    assert listener.wait_for(Loaded, 2) == first
    assert len(loads.asked) == 2


def test_a_first_network_that_cannot_be_had_is_replaced_by_the_default_one(
    start: Start, clip: str, listener: Listener, loads: Loads
) -> None:
    session = start()
    wanted = dataclasses.replace(SETTINGS, weights="missing", device="cuda", classes=("dog",), nms="exact")
    session.detect(wanted)
    session.open(clip)
    failed = listener.wait_for(Failed)
    assert failed.task == "network"
    assert failed.message.endswith("; the default network is loaded instead")
    loaded = listener.wait_for(Loaded)
    assert loaded.settings == dataclasses.replace(SETTINGS, classes=("dog",), nms="exact")
    assert session.in_use == loaded.settings
    newest(session, lambda result: len(result.detections))
    assert [settings.weights for settings in loads.asked] == ["missing", None]


def test_where_no_network_can_be_had_that_is_told_and_none_is_in_use(
    start: Start, clip: str, listener: Listener, loads: Loads
) -> None:
    loads.engine = NeverRuns
    session = start()
    session.detect(dataclasses.replace(SETTINGS, weights="missing"))
    session.open(clip)
    assert [listener.wait_for(Failed, count).task for count in (1, 2)] == ["network", "network"]
    assert "no such instruction" in listener.all(Failed)[1].message
    assert session.in_use is session.loaded is None


def test_the_settings_in_use_are_those_of_the_network_that_goes_on_after_another_failed(
    start: Start, clip: str, listener: Listener
) -> None:
    session = start()
    session.open(clip)
    before = listener.wait_for(Loaded)
    assert before.settings == session.in_use == SETTINGS
    session.detect(dataclasses.replace(SETTINGS, weights="missing", score_threshold=0.6))
    listener.wait_for(Failed)
    still = dataclasses.replace(SETTINGS, score_threshold=0.6)
    wait_until(lambda: session.in_use == still)
    assert session.loaded == dataclasses.replace(before, settings=still)


def test_no_two_networks_are_loaded_at_once(
    start: Start, clip: str, tmp_path: Path, listener: Listener, loads: Loads
) -> None:
    loads.go_on.clear()
    session = start()
    session.open(clip)
    assert loads.begun.acquire(timeout=PATIENCE)
    session.annotate(clip, tmp_path / "out.mp4")
    listener.wait_for(Progress)
    assert not loads.begun.acquire(timeout=0.1), "PyTorch exports one network at a time"
    loads.go_on.set()
    listener.wait_for(Saved)
    assert len(loads.asked) == 2
