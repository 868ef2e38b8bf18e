"""Files annotated to disk while somebody watches something else."""

from __future__ import annotations

import dataclasses
import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from assets.make_demo_video import FRAMES
from pipeline.frame import Frame, Result
from pipeline.live.events import Failed, Progress, Saved
from pipeline.live.files.job import AnnotationJob, AnnotationRequest, in_media_time
from pipeline.live.session import LiveSession
from pipeline.settings import DetectionSettings, DisplaySettings
from pipeline.sources import open_source
from tests.clips import number_of, numbered_picture, write_clip
from tests.pipeline.live.sessions import (
    PATIENCE,
    SETTINGS,
    Listener,
    Loads,
    OpensWhatItIsTold,
    Start,
    blotches,
    newest,
    playing,
    wait_until,
)
from tests.pipeline.standins import Source as CountedSource
from tests.source_tree import ROOT

BARE = DisplaySettings(masks=False, outlines=False, boxes=False, labels=False)


def annotate(
    source: Path | str,
    output: Path,
    display: DisplaySettings = BARE,
    detection: DetectionSettings = SETTINGS,
    loads: Loads | None = None,
    open_source=open_source,
) -> Listener:
    """What a job tells that has ended."""
    listener = Listener()
    job = AnnotationJob(
        AnnotationRequest(str(source), output, detection, display), loads or Loads(), open_source, listener
    )
    job.start()
    assert job.join(PATIENCE), job.alive
    return listener


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as file:
        return [frame.to_ndarray(format="bgr24") for frame in file.decode(video=0)]


def test_every_frame_is_written_once_and_in_order_with_the_audio(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.mp4", frames=60, seconds_of_audio=2.4)
    listener = annotate(tmp_path / "in.mp4", tmp_path / "new" / "out.mp4")
    (saved,) = listener.all(Saved)
    assert (saved.task, saved.paths, saved.problems) == ("annotation", (tmp_path / "new" / "out.mp4",), ())
    assert "60 frames" in saved.summary
    assert "audio kept" in saved.summary
    assert [number_of(picture) for picture in pictures(saved.paths[0])] == list(range(60))
    assert listener.all(Failed) == []


def test_the_masks_are_drawn_as_they_are_shown(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.mp4", frames=3)
    annotate(tmp_path / "in.mp4", tmp_path / "bare.mp4")
    annotate(tmp_path / "in.mp4", tmp_path / "drawn.mp4", DisplaySettings())
    annotate(tmp_path / "in.mp4", tmp_path / "rated.mp4", dataclasses.replace(BARE, show_fps=True))
    bare, drawn, rated = (pictures(tmp_path / f"{name}.mp4")[1] for name in ("bare", "drawn", "rated"))
    assert np.abs(bare.astype(int) - numbered_picture(1, 64, 48)).mean() < 8
    assert np.abs(bare.astype(int) - drawn).mean() > 8
    assert np.array_equal(bare, rated), "the rate at which a file is worked off is nobody's business"


def test_a_background_picture_that_cannot_be_read_is_told_and_the_background_stays(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.mp4", frames=3)
    display = dataclasses.replace(BARE, background="picture", background_picture=tmp_path / "beach.png")
    told = annotate(tmp_path / "in.mp4", tmp_path / "out.mp4", display)
    (failed,) = told.all(Failed)
    assert failed.task == "display"
    assert "beach.png" in failed.message
    assert len(told.all(Saved)) == 1
    annotate(tmp_path / "in.mp4", tmp_path / "bare.mp4")
    assert np.array_equal(pictures(tmp_path / "out.mp4"), pictures(tmp_path / "bare.mp4"))


def test_it_tells_how_far_it_has_come(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.mp4", frames=100)
    told = annotate(tmp_path / "in.mp4", tmp_path / "out.mp4").all(Progress)
    assert told[0] == Progress("annotation", None, "loading the network")
    fractions = [progress.fraction for progress in told[1:]]
    assert fractions
    assert all(fraction is not None and 0 <= fraction <= 1 for fraction in fractions)
    assert fractions == sorted(fractions)
    assert " of 100 frames" in told[-1].detail


def test_json_lines_are_written_where_the_output_is_called_so(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.mp4", frames=5)
    annotate(tmp_path / "in.mp4", tmp_path / "out.jsonl")
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [record["index"] for record in records] == list(range(5))
    assert records[0]["detections"]


def test_in_a_folder_the_file_gets_a_name_of_its_own(tmp_path: Path) -> None:
    write_clip(tmp_path / "my clip.mp4", frames=2)
    (saved,) = annotate(tmp_path / "my clip.mp4", tmp_path).all(Saved)
    assert saved.paths[0].parent == tmp_path
    assert saved.paths[0].name.startswith("my_clip_20")


@pytest.mark.parametrize(
    ("name", "words"),
    [("in.mp4", "exists already"), ("out.gif", "expected .mp4"), ("out", "without a suffix")],
)
def test_an_output_that_cannot_be_is_refused_before_a_network_is_loaded(
    name: str, words: str, tmp_path: Path
) -> None:
    write_clip(tmp_path / "in.mp4", frames=2)
    before = (tmp_path / "in.mp4").read_bytes()
    loads = Loads()
    (failed,) = annotate(tmp_path / "in.mp4", tmp_path / name, loads=loads).all(Failed)
    assert failed.task == "annotation"
    assert words in failed.message
    assert loads.asked == []
    assert (tmp_path / "in.mp4").read_bytes() == before


def test_a_camera_is_refused(tmp_path: Path) -> None:
    camera = CountedSource(None, live=True)
    opens = OpensWhatItIsTold(camera=lambda _: camera)
    (failed,) = annotate("camera", tmp_path / "out.mp4", open_source=opens).all(Failed)
    assert "this can be recorded" in failed.message
    assert camera.closed == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("source", "detection", "words"),
    [
        ("nowhere.mp4", SETTINGS, "no such file"),
        ("in.mp4", dataclasses.replace(SETTINGS, weights="missing"), "no such weights"),
        ("in.mp4", dataclasses.replace(SETTINGS, nms="fats"), "'fats'"),
    ],
)
def test_what_fails_is_told_and_leaves_nothing_behind(
    source: str, detection: DetectionSettings, words: str, tmp_path: Path
) -> None:
    write_clip(tmp_path / "in.mp4", frames=2)
    listener = annotate(tmp_path / source, tmp_path / "out.mp4", detection=detection)
    (failed,) = listener.all(Failed)
    assert words in failed.message
    assert listener.all(Saved) == []
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_people_are_hidden_in_the_file_whatever_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "in.mp4"
    write_clip(path, size=(160, 120), frames=4, picture=blotches, options={"crf": "1"})
    private = dataclasses.replace(BARE, privacy=True)
    unknowing = Loads(("cat", "dog", "bird"))
    annotate(path, tmp_path / "out.mp4", private, loads=unknowing)
    for picture in pictures(tmp_path / "out.mp4"):
        assert np.abs(np.diff(picture.astype(int), axis=1)).mean() < 10


@pytest.mark.parametrize("name", ["out.mp4", "out.jsonl"])
def test_cancelled_it_leaves_nothing_and_says_so(
    start: Start, tmp_path: Path, listener: Listener, name: str
) -> None:
    write_clip(tmp_path / "in.mp4", frames=1000)
    session = start()
    session.annotate(str(tmp_path / "in.mp4"), tmp_path / name)
    wait_until(lambda: any(told.fraction for told in listener.all(Progress)))
    session.cancel_annotation()
    assert listener.wait_for(Saved) == Saved("annotation", (), "cancelled; nothing was kept")
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_cancelled_while_the_network_is_loaded_it_writes_nothing(
    start: Start, clip: str, tmp_path: Path, listener: Listener, loads: Loads
) -> None:
    loads.go_on.clear()
    session = start()
    session.annotate(clip, tmp_path / "out.mp4")
    assert loads.begun.acquire(timeout=PATIENCE)
    session.cancel_annotation()
    loads.go_on.set()
    assert "cancelled" in listener.wait_for(Saved).summary
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_one_file_is_annotated_at_a_time_beside_what_is_shown(
    start: Start, clip: str, tmp_path: Path, listener: Listener, loads: Loads
) -> None:
    session = start()
    session.open(clip)
    newest(session, lambda result: len(result.detections))
    playing(session)
    loads.go_on.clear()
    session.annotate(clip, tmp_path / "a.mp4")
    session.annotate(clip, tmp_path / "b.mp4")
    assert "already" in listener.wait_for(Failed).message
    loads.go_on.set()
    assert listener.wait_for(Saved).paths == (tmp_path / "a.mp4",)
    at = newest(session).frame.index
    newest(session, lambda result: result.frame.index > at + 3)
    wait_until(lambda: "livemask-annotation" not in session.alive)
    session.annotate(clip, tmp_path / "b.mp4")
    assert listener.wait_for(Saved, 2).paths == (tmp_path / "b.mp4",)


def test_what_is_held_is_held_in_the_videos_own_time() -> None:
    frame = Frame(np.zeros((2, 2, 3), np.uint8), 0, 75, Fraction(1, 25), captured_at=123.0)
    seen = []

    def paint(result: Result, fps: float) -> Result:
        seen.append(result.frame.captured_at)
        return result

    drawn = in_media_time(paint)(Result(frame, detections=None), 1.0)
    assert (seen, drawn.frame.captured_at) == ([3.0], 123.0)


@pytest.mark.slow
def test_the_demo_video_is_annotated_with_the_shipped_network(tmp_path: Path) -> None:
    listener = Listener()
    session = LiveSession(listener, DetectionSettings(), DisplaySettings())
    session.annotate(str(ROOT / "assets" / "demo.mp4"), tmp_path / "demo.mp4")
    try:
        saved = listener.wait_for(Saved)
    finally:
        assert session.close(PATIENCE)
    assert f"{FRAMES} frames" in saved.summary
    assert saved.problems == ()
    assert len(pictures(tmp_path / "demo.mp4")) == FRAMES
