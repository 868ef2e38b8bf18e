"""Tracks and comparisons of a session, while sources, networks and settings change."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from model.detections import Detections
from pipeline.frame import Result
from pipeline.live.events import Failed, Loaded, Saved
from pipeline.live.session import LiveSession
from pipeline.settings import ComparisonSettings
from tests.clips import write_clip
from tests.pipeline.live.sessions import (
    PATIENCE,
    PRIVATE,
    SETTINGS,
    Listener,
    Loads,
    Start,
    newest,
    only_file,
    playing,
    wait_until,
)

ON = ComparisonSettings(on=True, stabilise="light", score_threshold=0.5)


def compares(result: Result) -> bool:
    return result.other is not None


def goes_on(session: LiveSession) -> None:
    """Wait for three more results with both sides."""
    at = newest(session).frame.index
    newest(session, lambda result: compares(result) and result.frame.index > at + 2)


def ids(detections: Detections) -> list[int]:
    assert detections.track_ids is not None
    return detections.track_ids.tolist()


def test_every_instance_has_a_track_and_its_age_is_told(start: Start, clip: str) -> None:
    session = start()
    session.open(clip)
    playing(session)
    result = newest(session, lambda result: len(result.detections) and result.frame.time > 0.2)
    shown = [session.seconds_of(track) for track in ids(result.detections)]
    assert shown
    assert all(seconds is not None and seconds >= 0 for seconds in shown)
    assert session.seconds_of(10**9) is None


def test_tracks_stay_through_a_pause_and_steps_and_end_at_a_jump(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "still.mp4"  # a picture that hardly moves
    write_clip(path, frames=50, size=(160, 120), picture=lambda number, w, h: _still(w, h))
    session = start()
    session.detect(replace(SETTINGS, max_detections=1))
    session.open(str(path))
    playback = playing(session)
    playback.pause()
    playback.seek(1.5)
    at = newest(session, lambda result: len(result.detections) and 1.47 < result.frame.time < 1.53)
    tracks = ids(at.detections)
    assert tracks[0] >= 0
    playback.again()
    again = newest(session, lambda result: result.frame.index > at.frame.index)
    assert ids(again.detections) == tracks
    playback.step(1)
    on = newest(session, lambda result: result.frame.index > again.frame.index)
    assert on.frame.time > at.frame.time
    assert ids(on.detections) == tracks
    playback.step(-1)
    before = newest(session, lambda result: result.frame.index > on.frame.index)
    assert before.frame.time == at.frame.time
    assert ids(before.detections) == tracks
    playback.seek(0.1)
    back = newest(session, lambda result: result.frame.time < at.frame.time)
    assert min(ids(back.detections)) > max(tracks), "no id is used again"


def _still(width: int, height: int):
    from tests.pipeline.live.sessions import blotches

    return blotches(3, width // 40, height // 40).repeat(40, 0).repeat(40, 1)


def test_lines_of_a_recording_tell_the_tracks(
    start: Start, clip: str, listener: Listener, tmp_path: Path
) -> None:
    session = start()
    session.open(clip)
    playing(session)
    newest(session, lambda result: len(result.detections))
    session.record(tmp_path / "out", with_json=True)
    wait_until(lambda: session.recording)
    at = newest(session).frame.index
    newest(session, lambda result: result.frame.index > at + 5)
    session.stop_recording()
    listener.wait_for(Saved)
    lines = only_file(tmp_path / "out", "*.jsonl").read_text().splitlines()
    told = [one["track_id"] for line in lines for one in json.loads(line)["detections"]]
    assert told
    assert all(isinstance(track, int) for track in told)


def test_the_stabiliser_is_changed_while_the_source_runs_and_nothing_is_loaded(
    start: Start, clip: str, listener: Listener, loads: Loads
) -> None:
    session = start()
    session.open(clip)
    playing(session)
    for stabilise in ("light", "strong", "off"):
        session.detect(replace(SETTINGS, stabilise=stabilise))
        wait_until(lambda stabilise=stabilise: session.in_use == replace(SETTINGS, stabilise=stabilise))
        at = newest(session).frame.index
        newest(session, lambda result, at=at: len(result.detections) and result.frame.index > at + 2)
    session.detect(replace(SETTINGS, stabilise="strnog"))
    assert "strnog" in listener.wait_for(Failed).message
    assert len(loads.asked) == 1


def test_a_comparison_costs_nothing_before_it_is_asked_for_and_after_it_has_ended(
    start: Start, clip: str
) -> None:
    session = start()
    session.open(clip)
    playing(session)
    newest(session, lambda result: len(result.detections))
    assert session.comparison.state == "off"
    assert "livemask-scorer" not in session.alive
    session.compare(ON)
    goes_on(session)
    wait_until(lambda: session.scores is not None)
    assert session.comparison.right == replace(SETTINGS, stabilise="light", score_threshold=0.5)
    session.compare(replace(ON, on=False))
    newest(session, lambda result: not compares(result))
    assert session.comparison.state == "off"


def test_the_line_can_be_put_anywhere_also_while_the_picture_stands_still(start: Start, clip: str) -> None:
    session = start()
    session.compare(ON)
    session.open(clip)
    playback = playing(session)
    newest(session, compares)
    playback.pause()
    for at in (0.25, 0.75):
        session.split(at)
        column = round(at * 64)
        newest(
            session,
            lambda result, column=column: (
                result.annotated is not None and (result.annotated[:, column] == 255).all()
            ),
        )


def test_another_network_is_loaded_in_the_background_and_what_fails_is_told(
    start: Start, clip: str, listener: Listener, loads: Loads
) -> None:
    session = start()
    session.open(clip)
    playing(session)
    listener.wait_for(Loaded)
    loads.go_on.clear()
    session.compare(replace(ON, weights="other"))
    wait_until(lambda: session.comparison.state == "loading")
    at = newest(session).frame.index
    newest(session, lambda result: not compares(result) and result.frame.index > at + 2)
    loads.go_on.set()
    goes_on(session)
    session.compare(replace(ON, weights="missing"))
    failed = listener.wait_for(Failed)
    assert failed.task == "comparison"
    assert "comparison does not work" in failed.message
    at = newest(session).frame.index
    newest(session, lambda result: not compares(result) and result.frame.index > at + 2)
    assert len(listener.all(Loaded)) == 1, "the network in use is the one of before"


def test_a_comparison_goes_on_with_other_sources_and_other_networks(
    start: Start, clip: str, listener: Listener, tmp_path: Path
) -> None:
    write_clip(tmp_path / "second.mp4", frames=50)
    session = start()
    session.compare(ON)
    session.open(clip)
    playing(session)
    goes_on(session)
    for number, source in enumerate((str(tmp_path / "second.mp4"), clip)):
        session.open(source)
        wait_until(
            # asked once: another thread replaces what is the latest
            lambda source=source: getattr(session.latest.info, "name", None) == source
        )
        playing(session)
        goes_on(session)
        session.detect(replace(SETTINGS, weights=f"weights {number}"))
        listener.wait_for(Loaded, number + 2)
        goes_on(session)
    assert listener.all(Failed) == []


def test_with_privacy_there_is_no_other_side_from_the_moment_of_asking_on(start: Start, clip: str) -> None:
    session = start()
    session.compare(ON)
    session.open(clip)
    playing(session)
    goes_on(session)
    session.display(PRIVATE)
    at = newest(session).frame.index
    newest(session, lambda result: result.frame.index > at + 1 and not compares(result))
    wait_until(lambda: session.comparison.state == "private")
    for _ in range(5):
        at = newest(session).frame.index
        assert not compares(newest(session, lambda result, at=at: result.frame.index > at))
    session.display(replace(PRIVATE, privacy=False))
    goes_on(session)


def test_a_session_that_compares_ends_in_time(start: Start, clip: str, loads: Loads) -> None:
    session = start()
    session.compare(replace(ON, weights="other"))
    session.open(clip)
    playing(session)
    goes_on(session)
    wait_until(lambda: session.scores is not None)
    assert session.close(PATIENCE)
    assert session.alive == ()
