"""Recordings and snapshots of what is shown."""

from __future__ import annotations

import json
from pathlib import Path

import av
import cv2
import numpy as np

from pipeline.live.events import Closed, Failed, Loaded, RecordingStarted, Saved
from tests.clips import write_clip
from tests.full_disk import no_file_longer_than
from tests.pipeline.live.sessions import (
    Listener,
    OpensWhatItIsTold,
    Start,
    newest,
    playing,
    some_more,
    wait_until,
)
from tests.pipeline.standins import Source as CountedSource


def frames_of(path: Path) -> int:
    with av.open(str(path)) as file:
        return sum(1 for _ in file.decode(video=0))


def record(start: Start, clip: str, folder: Path, with_json: bool = False):
    session = start()
    session.open(clip)
    playing(session)
    session.record(folder, with_json)
    wait_until(lambda: session.recording)
    some_more(session, 8)
    return session


def test_what_is_shown_is_recorded_as_video_and_json_lines(
    start: Start, clip: str, tmp_path: Path, listener: Listener
) -> None:
    session = record(start, clip, tmp_path / "new" / "folder", with_json=True)
    session.stop_recording()
    saved = listener.wait_for(Saved)
    assert listener.wait_for(RecordingStarted).paths == saved.paths
    video, lines = saved.paths
    assert (video.suffix, lines.suffix, video.stem) == (".mp4", ".jsonl", lines.stem)
    assert video.stem.startswith("clip_20")
    assert (saved.task, saved.problems, session.recording) == ("recording", (), False)
    assert frames_of(video) == len(lines.read_text().splitlines()) > 3
    records = [json.loads(line) for line in lines.read_text().splitlines()]
    assert records[0]["time"] == 0
    assert sorted(Path(video.parent).iterdir()) == sorted(saved.paths)


def test_a_recording_may_follow_another_at_once_and_gets_a_name_of_its_own(
    start: Start, clip: str, tmp_path: Path, listener: Listener
) -> None:
    session = record(start, clip, tmp_path / "out")
    session.stop_recording()
    session.record(tmp_path / "out")
    wait_until(lambda: session.recording)
    some_more(session, 3)
    session.stop_recording()
    saved = [listener.wait_for(Saved, count).paths[0] for count in (1, 2)]
    assert len(set(saved)) == 2
    assert all(frames_of(path) for path in saved)


def test_a_recording_ends_whole_when_its_source_is_closed(
    start: Start, clip: str, tmp_path: Path, listener: Listener
) -> None:
    session = record(start, clip, tmp_path / "out")
    session.close_source()
    listener.wait_for(Closed)
    (saved,) = listener.all(Saved)
    assert frames_of(saved.paths[0]) > 3
    assert not session.recording


def test_a_recording_of_what_stands_still_begins_with_the_picture_that_is_shown(
    start: Start, tmp_path: Path, listener: Listener
) -> None:
    write_clip(tmp_path / "still.mp4", frames=1)
    session = start()
    session.open(str(tmp_path / "still.mp4"))
    at = newest(session, lambda result: len(result.detections)).frame.index
    session.record(tmp_path / "out")
    newest(session, lambda result: result.frame.index > at)
    session.close_source()
    (path,) = listener.wait_for(Saved).paths
    assert frames_of(path) == 1


def test_a_recording_without_a_picture_says_so_and_names_no_file(
    start: Start, tmp_path: Path, listener: Listener
) -> None:
    stuck = CountedSource(None, live=True, at=1, fault=lambda: stuck.hang())
    session = start(open_source=OpensWhatItIsTold(camera=lambda _: stuck))
    session.open("camera")
    newest(session)
    session.record(tmp_path / "out")
    listener.wait_for(RecordingStarted)
    session.stop_recording()
    saved = listener.wait_for(Saved)
    assert (saved.paths, saved.summary) == ((), "nothing was recorded: no picture came")
    assert list((tmp_path / "out").iterdir()) == []


def test_only_one_recording_goes_on_at_a_time(
    start: Start, clip: str, tmp_path: Path, listener: Listener
) -> None:
    session = record(start, clip, tmp_path / "out")
    session.record(tmp_path / "out")
    assert "going on already" in listener.wait_for(Failed).message
    assert session.recording


def test_a_recording_that_cannot_begin_is_told_and_the_view_goes_on(
    start: Start, clip: str, tmp_path: Path, listener: Listener
) -> None:
    (tmp_path / "file").write_text("in the way")
    session = start()
    session.open(clip)
    at = newest(session).frame.index
    session.record(tmp_path / "file")
    failed = listener.wait_for(Failed)
    assert (failed.task, "cannot be made a folder" in failed.message) == ("recording", True)
    assert not session.recording
    newest(session, lambda result: result.frame.index > at + 3)
    assert listener.all(RecordingStarted) == []


def test_a_full_disk_ends_the_recording_with_a_word_and_not_the_view(
    start: Start, clip: str, tmp_path: Path, listener: Listener
) -> None:
    session = start()
    session.open(clip)
    newest(session)
    playing(session)
    with no_file_longer_than(100):
        session.record(tmp_path / "out", with_json=True)
        failed = listener.wait_for(Failed)
    assert failed.task == "recording"
    assert "cannot be written" in failed.message
    assert not session.recording
    at = newest(session).frame.index
    newest(session, lambda result: result.frame.index > at + 3)


def test_nothing_can_be_recorded_or_saved_where_nothing_is_shown(
    start: Start, tmp_path: Path, listener: Listener
) -> None:
    session = start()
    session.record(tmp_path)
    session.snapshot(tmp_path)
    session.stop_recording()
    listener.wait_for(Failed, 3)
    assert [failed.task for failed in listener.all(Failed)] == ["recording", "snapshot", "recording"]
    assert all("open a camera, a file or an address first" in one.message for one in listener.all(Failed))


def test_snapshots_taken_in_a_row_get_names_of_their_own(
    start: Start, clip: str, tmp_path: Path, listener: Listener
) -> None:
    session = start()
    session.open(clip)
    listener.wait_for(Loaded)
    playing(session)
    shown = newest(session, lambda result: len(result.detections))
    for _ in range(3):
        session.snapshot(tmp_path / "out")
    paths = {listener.wait_for(Saved, count).paths[0] for count in (1, 2, 3)}
    assert len(paths) == 3
    assert all(path.name.startswith("clip_20") and path.suffix == ".png" for path in paths)
    assert cv2.imread(str(min(paths))).shape == shown.annotated.shape


def test_a_snapshot_of_a_still_picture_is_what_is_painted(
    start: Start, tmp_path: Path, listener: Listener
) -> None:
    write_clip(tmp_path / "still.mp4", frames=1)
    session = start()
    session.open(str(tmp_path / "still.mp4"))
    shown = newest(session, lambda result: len(result.detections))
    session.snapshot(tmp_path / "out")
    (path,) = listener.wait_for(Saved).paths
    assert np.array_equal(cv2.imread(str(path)), shown.annotated)


def test_a_snapshot_that_cannot_be_written_is_told(
    start: Start, clip: str, tmp_path: Path, listener: Listener
) -> None:
    (tmp_path / "file").write_text("in the way")
    session = start()
    session.open(clip)
    newest(session)
    session.snapshot(tmp_path / "file")
    failed = listener.wait_for(Failed)
    assert failed.task == "snapshot"
    assert "file" in failed.message
