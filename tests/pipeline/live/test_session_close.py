"""Closing a session ends its threads in time, whatever is going on."""

from __future__ import annotations

import threading
from pathlib import Path
from time import monotonic

import av
import pytest

from model.errors import SourceError
from pipeline.live.events import Loading, Progress, RecordingStarted, Saved
from pipeline.settings import DetectionSettings
from pipeline.sources.base import Source
from tests.clips import write_clip
from tests.pipeline.live.sessions import (
    PATIENCE,
    Listener,
    Loads,
    OpensWhatItIsTold,
    Start,
    newest,
    playing,
    some_more,
    wait_until,
)
from tests.pipeline.standins import Source as CountedSource

LIMIT = 2.0  # seconds that closing may take
SLACK = 1.0  # of a busy machine


def closes_in_time(session) -> bool:
    begun = monotonic()
    closed = session.close(LIMIT)
    assert monotonic() - begun < LIMIT + SLACK
    return closed


def test_while_a_file_is_shown(start: Start, clip: str, listener: Listener) -> None:
    session = start()
    session.open(clip)
    newest(session, lambda result: len(result.detections))
    assert closes_in_time(session)
    assert session.alive == ()


def test_while_nothing_was_ever_opened(start: Start) -> None:
    assert closes_in_time(start())


def test_closing_again_does_no_harm_and_nothing_happens_afterwards(
    start: Start, clip: str, listener: Listener, tmp_path: Path
) -> None:
    session = start()
    session.open(clip)
    newest(session)
    assert closes_in_time(session)
    told = list(listener.events)
    assert closes_in_time(session)
    session.open(clip)
    session.snapshot(tmp_path)
    session.record(tmp_path)
    session.annotate(clip, tmp_path / "a.mp4")
    session.download("yolact_base")
    assert (session.alive, listener.events) == ((), told)


def test_while_a_source_is_being_opened_that_can_be_interrupted(start: Start, listener: Listener) -> None:
    def hangs(interrupted: threading.Event) -> Source:
        interrupted.wait(PATIENCE)
        raise SourceError("interrupted")

    session = start(open_source=OpensWhatItIsTold(slow=hangs))
    session.open("slow")
    wait_until(lambda: "livemask capture" in session.alive)
    assert closes_in_time(session)


def test_while_a_source_is_being_opened_that_never_returns(start: Start, listener: Listener) -> None:
    release = threading.Event()

    def hangs(interrupted: threading.Event) -> Source:
        assert release.wait(PATIENCE)
        raise SourceError("at last")

    session = start(open_source=OpensWhatItIsTold(stuck=hangs))
    session.open("stuck")
    wait_until(lambda: "livemask capture" in session.alive)
    begun = monotonic()
    assert not session.close(0.2)
    assert monotonic() - begun < 0.2 + SLACK
    assert set(session.alive) == {"livemask capture", "livemask-watcher"}
    told = list(listener.events)
    release.set()
    wait_until(lambda: not session.alive)
    assert listener.events == told


def test_another_source_is_shown_though_the_one_before_never_returns_from_opening(
    start: Start, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.live.showing._PATIENCE", 0.05)
    release = threading.Event()

    def hangs(interrupted: threading.Event) -> Source:
        assert release.wait(PATIENCE)
        raise SourceError("at last")

    opens = OpensWhatItIsTold(stuck=hangs, good=lambda _: CountedSource(None, live=True, pace=0.01))
    session = start(open_source=opens)
    session.open("stuck")
    wait_until(lambda: "livemask capture" in session.alive)
    session.open("good")
    newest(session)
    release.set()
    wait_until(lambda: session.alive.count("livemask capture") == 1)
    assert [kind for kind in listener.kinds if kind.startswith(("Open", "Clos"))] == [
        "Opening",
        "Closed",
        "Opening",
        "Opened",
    ]


def test_while_a_network_is_being_loaded_which_nothing_can_interrupt(
    start: Start, clip: str, listener: Listener, loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    readied: list[object] = []
    monkeypatch.setattr("pipeline.live.network.networks.warm_up", readied.append)
    loads.go_on.clear()
    session = start()
    session.open(clip)
    newest(session)
    listener.wait_for(Loading)
    begun = monotonic()
    assert not session.close(0.5)
    assert monotonic() - begun < 0.5 + SLACK
    assert session.alive == ("livemask-loader",)
    told = list(listener.events)
    loads.go_on.set()
    wait_until(lambda: not session.alive)
    assert listener.events == told, "nobody listens any more"
    assert not readied, "nobody waits for it to be made ready"


def test_while_weights_are_being_loaded_that_cannot_be_had(start: Start, clip: str, loads: Loads) -> None:
    loads.go_on.clear()
    session = start()
    session.detect(DetectionSettings(weights="missing"))
    session.open(clip)
    assert loads.begun.acquire(timeout=PATIENCE)
    assert not session.close(0.1)
    loads.go_on.set()
    wait_until(lambda: not session.alive)
    assert [settings.weights for settings in loads.asked] == ["missing"], (
        "the default one is not loaded either"
    )


def test_while_something_is_recorded_which_is_whole_then(
    start: Start, clip: str, listener: Listener, tmp_path: Path
) -> None:
    session = start()
    session.open(clip)
    playing(session)
    session.record(tmp_path / "out", with_json=True)
    listener.wait_for(RecordingStarted)
    some_more(session, 4)
    assert closes_in_time(session)
    (saved,) = listener.all(Saved)
    assert saved.problems == ()
    with av.open(str(saved.paths[0])) as file:
        assert sum(1 for _ in file.decode(video=0)) > 1


def test_while_a_file_is_annotated(start: Start, tmp_path: Path, listener: Listener) -> None:
    write_clip(tmp_path / "long.mp4", frames=3000)
    session = start()
    session.annotate(str(tmp_path / "long.mp4"), tmp_path / "out.mp4")
    listener.wait_for(Progress, 2)
    assert closes_in_time(session)
    assert not (tmp_path / "out.mp4").exists()


def test_while_a_camera_is_lost(start: Start, listener: Listener) -> None:
    def vanish() -> None:
        raise SourceError("gone")

    connected = []

    def connect(_: threading.Event) -> Source:
        if connected:
            raise SourceError("still gone")
        connected.append(CountedSource(None, live=True, at=2, fault=vanish))
        return connected[0]

    session = start(open_source=OpensWhatItIsTold(camera=connect))
    session.open("camera")
    wait_until(lambda: "Lost" in listener.kinds)
    assert closes_in_time(session)
