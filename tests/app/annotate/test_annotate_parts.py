"""What other runs leave or are doing is looked at before a run begins."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.sinks.part_file import PartFile, parts_of
from tests.app.conftest import Annotate
from tests.clips import write_clip
from tests.pipeline.sinks.recordings import killed

Said = pytest.CaptureFixture[str]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="without locks of files nobody can tell")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    write_clip(tmp_path / "clip.mp4", frames=2)
    return tmp_path / "clip.mp4"


def test_parts_are_told_apart_by_whether_somebody_writes_them(tmp_path: Path) -> None:
    for name in ("out.0badcafe.part.mp4", "out.mp4", "other.0badcafe.part.mp4", "out.0badcafe.part.jsonl"):
        (tmp_path / name).write_bytes(b"x")
    writing = PartFile(tmp_path / "out.mp4", overwrite=True)
    parts = parts_of(tmp_path / "out.mp4")
    assert (parts.busy, parts.left) == ((writing.part,), (tmp_path / "out.0badcafe.part.mp4",))
    writing.keep()
    assert parts_of(tmp_path / "out.mp4").busy == ()
    assert writing.part in parts_of(tmp_path / "out.mp4").left


def test_a_second_run_at_one_output_is_refused_at_its_start(
    annotate: Annotate, clip: Path, tmp_path: Path, capsys: Said
) -> None:
    writing = PartFile(tmp_path / "out.mp4")
    assert annotate(clip, "-o", tmp_path / "out.mp4") == 1
    assert f"another run is writing this output, to {writing.part}" in capsys.readouterr().err
    assert writing.part.exists()
    writing.discard()
    assert annotate(clip, "-o", tmp_path / "out.mp4") == 0


def test_parts_of_dead_runs_are_told_and_removed_on_demand(
    annotate: Annotate, clip: Path, tmp_path: Path, capsys: Said
) -> None:
    part = tmp_path / "out.0badcafe.part.mp4"
    part.write_bytes(bytes(2_000_000))
    assert annotate(clip, "-o", tmp_path / "out.mp4", "--dry-run", "--remove-parts") == 0
    assert annotate(clip, "-o", tmp_path / "out.mp4", "--dry-run") == 0
    assert "a part of runs that did not end, 2.0 MB" in capsys.readouterr().err
    assert part.exists()
    assert annotate(clip, "-o", tmp_path / "out.mp4", "--remove-parts") == 0
    assert not part.exists()


def test_a_part_that_a_killed_run_left_in_fragments_gets_its_index(
    annotate: Annotate, clip: Path, tmp_path: Path, capsys: Said
) -> None:
    part = killed(tmp_path / "killed", ".mp4").rename(tmp_path / "out.0badcafe.part.mp4")
    assert b"moof" in part.read_bytes()
    assert annotate(clip, "-o", tmp_path / "out.mp4", "--dry-run") == 0
    assert b"moof" in part.read_bytes()
    assert annotate(clip, "-o", tmp_path / "out.mp4") == 0
    assert f"{part}; 1 of them had no index and got one" in capsys.readouterr().err
    assert b"moof" not in part.read_bytes()


def test_a_pipe_in_the_place_of_an_output_is_refused_at_the_start(
    annotate: Annotate, clip: Path, tmp_path: Path, capsys: Said
) -> None:
    os.mkfifo(tmp_path / "out.mp4")
    assert annotate(clip, "-o", tmp_path / "out.mp4", "--overwrite") == 2
    assert "is a device, a pipe or a socket" in capsys.readouterr().err
