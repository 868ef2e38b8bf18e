"""`annotate` with real videos, from the command line to files that are read back."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from app.annotate import videos as annotate_videos
from pipeline.metrics.run import Metrics
from pipeline.runner import RunReport, RunState
from pipeline.sources.base import SourceInfo
from tests.app.conftest import Annotate
from tests.clips import write_clip
from tests.source_tree import ROOT

UNEVEN = [0, 512, 1024, 3072, 3100, 9000]


def stamps(path: Path) -> list[Fraction]:
    """The exact times in seconds at which a video's frames are shown."""
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def audio_bytes(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_every_frame_comes_out_with_its_own_time_stamp(annotate: Annotate, tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", times=UNEVEN)
    assert annotate(tmp_path / "clip.mp4", "-o", tmp_path / "out") == 0
    assert listing(tmp_path / "out") == ["clip_masks.mp4"]
    assert stamps(tmp_path / "out" / "clip_masks.mp4") == stamps(tmp_path / "clip.mp4")


def test_the_frames_are_drawn_on(annotate: Annotate, tmp_path: Path) -> None:
    before = write_clip(tmp_path / "clip.mp4", size=(96, 64))
    annotate(tmp_path / "clip.mp4", "-o", tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        after = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    assert len(after) == len(before)
    assert all(np.abs(a.astype(int) - b).max() > 60 for a, b in zip(after, before, strict=True))


def test_sound_is_copied_to_the_bit(annotate: Annotate, tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", seconds_of_audio=0.3)
    annotate(tmp_path / "clip.mp4", "-o", tmp_path / "out.mp4")
    assert audio_bytes(tmp_path / "out.mp4") == audio_bytes(tmp_path / "clip.mp4") != []


def test_json_lines_hold_one_object_a_frame_with_its_exact_time(annotate: Annotate, tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", size=(96, 64), times=UNEVEN)
    assert annotate(tmp_path / "clip.mp4", "-o", tmp_path / "out", "--json") == 0
    assert listing(tmp_path / "out") == ["clip_masks.jsonl", "clip_masks.mp4"]
    lines = [json.loads(line) for line in (tmp_path / "out" / "clip_masks.jsonl").read_text().splitlines()]
    assert [line["index"] for line in lines] == list(range(len(UNEVEN)))
    times = [line["pts"] * Fraction(line["time_base"]) for line in lines]
    assert times == stamps(tmp_path / "clip.mp4")
    assert any(line["detections"] for line in lines)
    for found in itertools.chain.from_iterable(line["detections"] for line in lines):
        assert coco_mask.decode(found["segmentation"]).shape == (64, 96)


def test_the_result_depends_on_neither_batch_nor_engine_settings(annotate: Annotate, tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", frames=7)
    for name, extra in {"one": (), "four": ("--batch", "4")}.items():
        assert annotate(tmp_path / "clip.mp4", "-o", tmp_path / name, "--as", "json", *extra) == 0
    one, four = (
        [json.loads(line) for line in (tmp_path / name / "clip_masks.jsonl").read_text().splitlines()]
        for name in ("one", "four")
    )
    assert [line["index"] for line in one] == [line["index"] for line in four] == list(range(7))
    boxes = ([[d["bbox"] for d in line["detections"]] for line in lines] for lines in (one, four))
    for a, b in zip(*boxes, strict=True):
        assert np.allclose(a, b, atol=0.1)


def test_frames_can_be_written_as_images(annotate: Annotate, tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", frames=3)
    assert annotate(tmp_path / "clip.mp4", "-o", tmp_path / "out", "--as", "images") == 0
    assert len(listing(tmp_path / "out" / "clip_masks")) == 3


def test_stride_and_max_frames_leave_the_others_out_and_keep_their_times(
    annotate: Annotate, tmp_path: Path
) -> None:
    write_clip(tmp_path / "clip.mp4", frames=12)
    annotate(tmp_path / "clip.mp4", "-o", tmp_path / "out.mp4", "--stride", "3", "--max-frames", "3")
    assert stamps(tmp_path / "out.mp4") == stamps(tmp_path / "clip.mp4")[:9:3]


def test_photographs_become_the_frames_of_a_video(annotate: Annotate, tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    for number in range(4):
        cv2.imwrite(str(tmp_path / "frames" / f"{number}.png"), np.full((32, 48, 3), 60 * number, np.uint8))
    out = tmp_path / "out.mp4"
    assert annotate(tmp_path / "frames", "-o", out, "--frame-rate", "10") == 0
    assert stamps(out) == [Fraction(number, 10) for number in range(4)]


def test_videos_and_photographs_of_one_folder_are_all_annotated(
    annotate: Annotate, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_clip(photos / "clip.mp4", frames=2)
    assert annotate(photos, "-o", tmp_path / "out") == 0
    assert listing(tmp_path / "out") == ["a.jpg", "b.png", "c.png", "clip_masks.mp4"]
    assert "4 annotated in " in capsys.readouterr().out


def test_data_goes_to_stdout_and_timings_to_stderr(
    annotate: Annotate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_clip(tmp_path / "clip.mp4")
    annotate(tmp_path / "clip.mp4", "-o", tmp_path / "out.mp4")
    said = capsys.readouterr()
    first, last = said.out.splitlines()
    assert first.startswith(f"{tmp_path / 'out.mp4'}: 8 frames, 0.000 to 0.280 s")
    assert last.startswith("1 annotated in ")
    assert "bottleneck: " in said.err
    assert "torch" in said.err  # what runs the network, and why


def test_quiet_says_nothing_but_what_was_made(
    annotate: Annotate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_clip(tmp_path / "clip.mp4")
    annotate(tmp_path / "clip.mp4", "-o", tmp_path / "out.mp4", "-q")
    assert capsys.readouterr().err == ""


def test_a_trace_is_a_timeline_of_all_stages(annotate: Annotate, tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4")
    annotate(tmp_path / "clip.mp4", "-o", tmp_path / "out.mp4", "--trace", tmp_path / "trace.json")
    loaded = json.loads((tmp_path / "trace.json").read_text())
    events = loaded["traceEvents"] if isinstance(loaded, dict) else loaded
    names = {event["name"] for event in events}
    assert {"capture", "prepare", "forward", "nms", "masks", "overlay", "encode"} <= names


def test_a_dry_run_says_what_would_be_made_and_makes_nothing(
    annotate: Annotate, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_clip(photos / "clip.mp4", frames=2)
    assert annotate(photos, "-o", tmp_path / "out", "--dry-run") == 0
    assert f"{photos / 'clip.mp4'} -> {tmp_path / 'out' / 'clip_masks.mp4'}" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_skip_existing_goes_on_where_a_batch_stopped(
    annotate: Annotate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        write_clip(tmp_path / f"{name}.mp4", frames=2)
    out = tmp_path / "out"
    out.mkdir()
    (out / "a_masks.mp4").write_text("done last night")
    (out / "b_masks.1234.part.mp4").write_text("what the power cut left")
    assert annotate(tmp_path / "a.mp4", tmp_path / "b.mp4", "-o", out, "--skip-existing") == 0
    assert (out / "a_masks.mp4").read_text() == "done last night"
    assert len(stamps(out / "b_masks.mp4")) == 2
    assert "1 annotated, 1 skipped" in capsys.readouterr().out


def test_one_bad_video_fails_by_name_and_the_others_are_done(
    annotate: Annotate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video at all" * 100)
    (tmp_path / "empty.mp4").touch()
    write_clip(tmp_path / "good.mp4", frames=2)
    inputs = [tmp_path / f"{name}.mp4" for name in ("bad", "empty", "good", "absent")]
    assert annotate(*inputs, "-o", tmp_path / "out") == 1
    assert listing(tmp_path / "out") == ["good_masks.mp4"]
    failed = [line for line in capsys.readouterr().err.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 3
    assert all(any(f"{name}.mp4" in line for line in failed) for name in ("bad", "empty", "absent"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--codec", "nosuch"), "nosuch"),
        (("--codec", "h264", "-o", "out.webm"), "webm"),
        (("other.mp4", "--trace", "t.json"), "--trace is of one"),
        (("--frame-rate", "30"), "--frame-rate is of a video made of photographs"),
        (("-o", "clip.mp4"), "one of the inputs"),
    ],
)
def test_what_cannot_be_made_is_refused_before_any_work(
    annotate: Annotate,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip("clip.mp4", frames=2)
    write_clip("other.mp4", frames=2)
    assert annotate("clip.mp4", *options) == 2
    assert said in capsys.readouterr().err
    assert listing(tmp_path) == ["clip.mp4", "other.mp4"]


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_ending_it_early_leaves_a_playable_part_and_no_whole_file(
    weights: Path, tmp_path: Path, number: signal.Signals
) -> None:
    write_clip(tmp_path / "long.mp4", frames=3000)
    out = tmp_path / "out"
    command = [sys.executable, "run_app.py", "annotate", tmp_path / "long.mp4", "-o", out]
    command += ["--weights", weights, "--engine", "torch", "--score-threshold", "0"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size > 4000 for path in out.glob("*.part.mp4")) and process.poll() is None:
        assert time.monotonic() < deadline, "nothing is written"
        time.sleep(0.02)
    process.send_signal(number)
    said, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    (part,) = listing(out)
    assert ".part." in part
    assert 0 < len(stamps(out / part)) < 3000
    assert "not whole" in said


def test_an_option_about_videos_where_none_is_made_is_told_to_have_no_effect(
    annotate: Annotate, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert annotate(photos, "-o", tmp_path / "out", "--codec", "hevc", "--crf", "20") == 0
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    assert told == [f"note: {option} has no effect: no video is made" for option in ("--codec", "--crf")]


def test_with_a_stride_the_video_says_the_lower_rate(annotate: Annotate, tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", frames=12)
    annotate(tmp_path / "clip.mp4", "-o", tmp_path / "out.mkv", "--stride", "5")
    with av.open(str(tmp_path / "out.mkv")) as made:
        assert made.streams.video[0].average_rate == 5


def test_a_live_source_that_was_ended_before_its_first_frame_does_not_count_as_annotated(
    annotate: Annotate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    info = SourceInfo("camera 0", True, 64, 48)
    done = RunReport(RunState.STOPPED, info, 0, Metrics().snapshot(), (), (), None)
    monkeypatch.setattr(annotate_videos, "watch", lambda *arguments: (done, True))
    assert annotate("0", "-o", tmp_path / "out.mp4") == 130
    assert "annotated" not in capsys.readouterr().out


def test_a_recording_that_comes_over_http_is_whole_at_its_end_and_said_to_be_without_audio(
    annotate: Annotate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "served").mkdir()
    write_clip(tmp_path / "served" / "clip.mp4", frames=5)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, name="server").start()
        try:
            code = annotate(
                f"http://127.0.0.1:{server.server_port}/clip.mp4", "-o", tmp_path / "out.mp4", "--overwrite"
            )
        finally:
            server.shutdown()
    assert code == 0
    assert stamps(tmp_path / "out.mp4") == stamps(tmp_path / "served" / "clip.mp4")
    assert "without audio, which is not recorded from streams" in capsys.readouterr().out
    assert listing(tmp_path) == ["out.mp4", "served"]


def test_a_rate_is_for_files_whose_frames_have_no_times_and_is_told_for_others(
    annotate: Annotate, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_clip(tmp_path / "bare.h264", frames=4)
    write_clip(tmp_path / "timed.mp4", frames=4)
    inputs = (tmp_path / "bare.h264", tmp_path / "timed.mp4")
    assert annotate(*inputs, "-o", tmp_path / "out", "--frame-rate", "10") == 0
    assert f"note: --frame-rate has no effect on {tmp_path / 'timed.mp4'}" in capfd.readouterr().err
    for name, rate in (("bare_masks.mp4", 10), ("timed_masks.mp4", 25)):
        assert stamps(tmp_path / "out" / name) == [Fraction(number, rate) for number in range(4)]
