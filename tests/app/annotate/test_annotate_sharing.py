"""`annotate --share`: several sources at a time through one network, each as if it were alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app import runs
from app.cli import EXIT_CUT, EXIT_FAILED, EXIT_USAGE
from tests.app.conftest import Annotate
from tests.clips import write_clip
from tests.pipeline.sources.media_server import media
from tests.weights_server import serving, stalled

Said = pytest.CaptureFixture[str]


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    """Six files, more than are worked on at a time; of two sizes and different lengths."""
    made = [tmp_path / f"{number}.mp4" for number in range(6)]
    for number, path in enumerate(made):
        write_clip(path, frames=3 + number, size=(64, 48) if number % 2 else (48, 64))
    return made


def lines(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.jsonl")}


def test_each_source_gets_what_it_gets_alone(annotate: Annotate, clips: list[Path], tmp_path: Path) -> None:
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    assert annotate(*clips, "-o", alone, "--as", "json", "-q") == 0
    assert annotate(*clips, "-o", shared, "--as", "json", "-q", "--share") == 0
    assert len(lines(shared)) == len(clips)
    assert lines(shared) == lines(alone)


def test_a_broken_file_costs_the_others_nothing(
    annotate: Annotate, clips: list[Path], tmp_path: Path, capsys: Said
) -> None:
    clips[2].write_bytes(os.urandom(1000))
    out = tmp_path / "out"
    assert annotate(*clips, "-o", out, "--as", "json", "--share") == EXIT_FAILED
    said = capsys.readouterr()
    assert "5 annotated, 1 failed" in said.out
    assert f"failed: {clips[2]}" in said.err
    assert len(lines(out)) == 5


def test_a_stream_that_breaks_off_costs_the_others_nothing(
    annotate: Annotate,
    clips: list[Path],
    tmp_path: Path,
    capsys: Said,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = runs.SourceOptions
    monkeypatch.setattr(runs, "SourceOptions", lambda: options(open_timeout=20, read_timeout=0.3))
    monkeypatch.setenv("no_proxy", "*")
    content, out = media("clip.mkv", 20), tmp_path / "out"
    with serving(stalled(content, len(content) * 6 // 10), name="clip.mkv") as server:
        assert annotate(server.address, *clips[:2], "-o", out, "--as", "json", "--share") == EXIT_CUT
    assert "2 annotated, 1 broken off in " in capsys.readouterr().out
    assert [count(out / f"{number}_masks.jsonl") for number in (0, 1)] == [3, 4]


def count(path: Path) -> int:
    return len(path.read_bytes().splitlines())


@pytest.mark.parametrize("option", [("--compare", "nms=exact"), ("--trace", "trace.json")])
def test_what_is_of_one_source_does_not_go_with_it(
    annotate: Annotate, clips: list[Path], tmp_path: Path, capsys: Said, option: tuple[str, str]
) -> None:
    assert annotate(*clips[:2], "-o", tmp_path / "out", "--share", *option) == EXIT_USAGE
    assert "--share" in capsys.readouterr().err
