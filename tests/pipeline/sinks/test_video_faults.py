"""The video sink when something is in its way: what is left behind can be played, or nothing is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from model.errors import SinkError
from pipeline.sinks import recording
from pipeline.sinks.video import VideoSink
from tests.clips import write_clip
from tests.full_disk import no_file_longer_than
from tests.pipeline.sinks.recordings import (
    fill,
    info,
    left_in,
    noise,
    numbered,
    pictures,
    result,
    times,
    write_all,
)
from tests.source_tree import ROOT

SUFFIXES = (".mp4", ".mkv", ".mov")


def opened(path: Path, source: Path | None = None, **options: object) -> VideoSink:
    sink = VideoSink(path, **options)  # type: ignore[arg-type]
    sink.open(info(source))
    return sink


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_run_that_ended_early_leaves_a_part_that_plays(tmp_path: Path, suffix: str) -> None:
    report = fill(VideoSink(tmp_path / f"o{suffix}"), info(), numbered(range(0, 1000, 40)), complete=False)
    assert report.path is not None
    assert left_in(tmp_path) == [report.path.name]
    assert report.path.name.startswith("o.")
    assert report.path.name.endswith(f".part{suffix}")
    assert len(pictures(report.path)) == 25
    assert not report.whole
    assert not report.problems


def test_without_a_frame_nothing_is_left(tmp_path: Path) -> None:
    for complete in (True, False):
        report = fill(VideoSink(tmp_path / "o.mp4"), info(), [], complete)
        assert (report.path, report.summary, report.whole) == (None, "no frames, nothing written", False)
    assert left_in(tmp_path) == []


def test_an_output_that_exists_is_refused_and_stays(tmp_path: Path) -> None:
    (tmp_path / "o.mp4").write_text("mine")
    with pytest.raises(SinkError, match=r"o\.mp4: exists already"):
        opened(tmp_path / "o.mp4")
    assert (tmp_path / "o.mp4").read_text() == "mine"
    assert left_in(tmp_path) == ["o.mp4"]


def test_an_output_that_exists_is_replaced_only_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "o.mp4").write_text("mine")
    sink = opened(tmp_path / "o.mp4", overwrite=True)
    sink.write(next(numbered([0])))
    assert (tmp_path / "o.mp4").read_text() == "mine"
    assert sink.close(complete=True).whole
    assert len(times(tmp_path / "o.mp4")) == 1
    assert left_in(tmp_path) == ["o.mp4"]


def test_an_output_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    sink = opened(tmp_path / "o.mp4")
    sink.write(next(numbered([0])))
    (tmp_path / "o.mp4").write_text("mine")
    with pytest.raises(SinkError, match="exists already"):
        sink.close(complete=True)
    assert (tmp_path / "o.mp4").read_text() == "mine"
    assert len(left_in(tmp_path)) == 2  # the part is not lost


@pytest.mark.parametrize("name", ["no/such/o.mp4", "file/o.mp4"])
def test_a_folder_that_is_not_there_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match=r"o\.mp4: cannot be written: (No such file|Not a directory)"):
        opened(tmp_path / name)
    assert left_in(tmp_path) == ["file"]


def test_a_folder_that_takes_no_files_is_refused(tmp_path: Path) -> None:
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        pytest.skip("the superuser may write anywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(SinkError, match="cannot be written: Permission denied"):
        opened(tmp_path / "o.mp4")


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "o.mp4").mkdir()
    with pytest.raises(SinkError, match="is a folder"):
        opened(tmp_path / "o.mp4", overwrite=True)


def test_a_very_long_name_still_has_room_for_its_part(tmp_path: Path) -> None:
    name = "ü" * 120 + ".mp4"
    assert fill(VideoSink(tmp_path / name), info(), numbered([0, 40])).whole
    assert left_in(tmp_path) == [name]


def test_a_frame_of_another_size_is_refused_and_those_before_play(tmp_path: Path) -> None:
    sink = opened(tmp_path / "o.mp4")
    for one in numbered([0, 40, 80]):
        sink.write(one)
    with pytest.raises(SinkError, match="a frame of 32 x 48 does not go into a video of 64 x 48"):
        sink.write(next(numbered([120], size=(32, 48))))
    report = sink.close(complete=False)
    assert report.path is not None
    assert len(pictures(report.path)) == 3


def test_a_size_that_the_encoder_refuses_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    sink = opened(tmp_path / "o.mp4")
    with pytest.raises(SinkError, match="the encoder libx264 refuses 16386 x 4 pixels"):
        sink.write(result(np.zeros((4, 16386, 3), np.uint8)))
    assert sink.close(complete=False).path is None
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("limit", [0, 700_000])
def test_a_full_disk_is_told_in_one_line_and_what_can_be_played_stays(
    tmp_path: Path, suffix: str, limit: int
) -> None:
    write_clip(tmp_path / f"in{suffix}", frames=150, seconds_of_audio=6)
    (tmp_path / "out").mkdir()
    sink = opened(tmp_path / "out" / f"o{suffix}", tmp_path / f"in{suffix}", preset="ultrafast")
    with no_file_longer_than(limit):
        with pytest.raises(SinkError, match=rf"o{suffix}: cannot be written: file too large$"):
            write_all(sink, noise(150))
        report = sink.close(complete=False)
    assert not report.whole
    if limit == 0:
        assert report.path is None
        assert left_in(tmp_path / "out") == []
    else:
        assert report.path is not None
        assert f"can be played in {report.path.name}" in report.summary
        assert len(times(report.path)) > 2


def test_a_disk_that_fills_up_at_the_very_end_is_told_by_close(tmp_path: Path) -> None:
    sink = opened(tmp_path / "o.mp4")
    for one in islice(noise(30), 20):  # all of it is still within the encoder
        sink.write(one)
    with no_file_longer_than(100), pytest.raises(SinkError) as caught:
        sink.close(complete=True)
    said = str(caught.value)
    assert said.endswith("cannot be written: file too large; nothing that can be played was left")
    assert "\n" not in said
    assert left_in(tmp_path) == []


def test_a_file_that_is_not_what_was_written_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Forgetful(recording.VideoEncoder):
        """Loses what it holds at the end, and says nothing."""

        def flush(self) -> None: ...

    monkeypatch.setattr(recording, "VideoEncoder", Forgetful)
    report = fill(VideoSink(tmp_path / "o.mp4"), info(), numbered(range(0, 4000, 40)))
    assert not report.whole
    assert "100 frames were written, " in report.problems[0]
    assert not (tmp_path / "o.mp4").exists()


def test_closing_what_was_never_opened_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "o.mp4").write_text("mine")
    sink = VideoSink(tmp_path / "o.mp4")
    with pytest.raises(SinkError):
        sink.open(info())
    assert sink.close(complete=False).path is None
    assert left_in(tmp_path) == ["o.mp4"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="processes are killed in another way here")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_program_that_is_killed_leaves_a_part_that_plays(tmp_path: Path, suffix: str) -> None:
    code = f"""
from pathlib import Path
from pipeline.sinks.video import VideoSink
from tests.pipeline.sinks.recordings import info, noise
sink = VideoSink(Path({str(tmp_path)!r}) / "o{suffix}", preset="ultrafast")
sink.open(info())
for one in noise(600, (96, 96)):
    sink.write(one)
print("written", flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        process.kill()
    (part,) = tmp_path.iterdir()
    assert len(times(part)) >= 500  # all but the last seconds
