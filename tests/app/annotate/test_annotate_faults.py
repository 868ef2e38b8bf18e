"""What goes wrong around `annotate`: it ends, says so in a line, and leaves nothing half done behind."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path
from shutil import rmtree

import pytest
from PIL import Image

from app import runs
from app.annotate import photos as annotate_photos
from pipeline import builder
from pipeline.sinks import part_file
from tests.app.conftest import Annotate
from tests.clips import write_clip
from tests.full_disk import no_file_longer_than

Said = pytest.CaptureFixture[str]


def failures(capsys: Said) -> list[str]:
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("failed: ")]


def test_a_full_disk_fails_one_video_in_a_line_and_the_next_is_tried(
    annotate: Annotate, tmp_path: Path, capsys: Said
) -> None:
    write_clip(tmp_path / "large.mp4", size=(640, 480), frames=60)
    write_clip(tmp_path / "small.mp4", frames=2)
    with no_file_longer_than(60_000):
        code = annotate(tmp_path / "large.mp4", tmp_path / "small.mp4", "-o", tmp_path / "out")
    assert code == 1
    (failed,) = failures(capsys)
    assert "large" in failed
    assert (tmp_path / "out" / "small_masks.mp4").is_file()
    assert not (tmp_path / "out" / "large_masks.mp4").exists()


def test_a_folder_that_cannot_be_made_is_named(annotate: Annotate, tmp_path: Path, capsys: Said) -> None:
    write_clip(tmp_path / "clip.mp4", frames=2)
    assert annotate(tmp_path / "clip.mp4", "-o", tmp_path / "clip.mp4" / "out") == 1
    (failed,) = failures(capsys)
    assert "cannot be made a folder" in failed


def test_an_error_that_nobody_foresaw_fails_one_video_and_is_raised_after_the_others(
    annotate: Annotate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    for name in ("first", "second"):
        write_clip(tmp_path / f"{name}.mp4", frames=3)
    draw, errors = builder.draw, iter([ZeroDivisionError("a bug")])

    def broken_once(*arguments: object, **keywords: object) -> object:
        for error in errors:
            raise error
        return draw(*arguments, **keywords)

    monkeypatch.setattr(builder, "draw", broken_once)
    with pytest.raises(ZeroDivisionError):
        annotate(tmp_path / "first.mp4", tmp_path / "second.mp4", "-o", tmp_path / "out")
    assert "first.mp4: ZeroDivisionError: a bug" in failures(capsys)[0]
    assert (tmp_path / "out" / "second_masks.mp4").is_file()


@pytest.mark.parametrize("number", [0, 5])
def test_a_stage_that_raises_ends_the_run_and_its_error_comes_out(
    annotate: Annotate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    write_clip(tmp_path / "clip.mp4", frames=30)
    seen = iter(range(100))
    draw = builder.draw

    def broken(*arguments: object, **keywords: object) -> object:
        if next(seen) == number:
            raise ZeroDivisionError("a bug")
        return draw(*arguments, **keywords)

    monkeypatch.setattr(builder, "draw", broken)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        annotate(tmp_path / "clip.mp4", "-o", tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()


def test_want_of_memory_fails_one_video_alone(
    annotate: Annotate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    def greedy(*arguments: object, **keywords: object) -> object:
        raise MemoryError

    write_clip(tmp_path / "clip.mp4", frames=3)
    monkeypatch.setattr(builder, "draw", greedy)
    assert annotate(tmp_path / "clip.mp4", "-o", tmp_path / "out.mp4") == 1
    assert "not enough memory" in failures(capsys)[0]


def test_a_camera_that_is_not_there_is_a_failure_in_a_line(
    annotate: Annotate, tmp_path: Path, capsys: Said
) -> None:
    assert annotate("63", "-o", tmp_path / "out.mp4") == 1
    (failed,) = failures(capsys)
    assert "63" in failed
    assert not (tmp_path / "out.mp4").exists()


def test_a_stream_that_never_answers_ends_in_time_and_its_password_is_not_shown(
    annotate: Annotate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    options = runs.SourceOptions
    monkeypatch.setattr(runs, "SourceOptions", lambda: options(open_timeout=0.5, read_timeout=0.5))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://ann:geheim@127.0.0.1:{silent.getsockname()[1]}/live"
        begun = time.monotonic()
        assert annotate(address, "-o", tmp_path / "out.mp4") == 1
    assert time.monotonic() - begun < 30
    said = capsys.readouterr()
    assert "geheim" not in said.err + said.out
    assert "failed: " in said.err


def test_a_scheme_that_cannot_be_opened_is_a_usage_error(annotate: Annotate, capsys: Said) -> None:
    assert annotate("ftp://example.org/a.mp4") == 2
    assert "ftp:// cannot be opened" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="there a folder with open files cannot be removed")
def test_an_output_folder_that_is_removed_in_mid_run_ends_it_before_the_end(
    annotate: Annotate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    monkeypatch.setattr(part_file, "LOOK_AGAIN", 0.0)
    write_clip(tmp_path / "clip.mp4", frames=200)
    drawn: list[object] = []
    draw = builder.draw

    def removing(*arguments: object, **keywords: object) -> object:
        drawn.append(arguments)
        if len(drawn) == 10:
            rmtree(tmp_path / "out")
        return draw(*arguments, **keywords)

    monkeypatch.setattr(builder, "draw", removing)
    assert annotate(tmp_path / "clip.mp4", "-o", tmp_path / "out", "--json") == 1
    (failed,) = failures(capsys)
    assert f"{tmp_path / 'out'} was removed or moved while it was written to" in failed
    assert len(drawn) < 100


def test_a_folder_of_photographs_that_is_removed_is_told_and_not_made_anew(
    annotate: Annotate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    for number in range(4):
        Image.new("RGB", (64, 48)).save(tmp_path / f"{number}.png")
    draw, drawn = annotate_photos.draw, iter(range(4))

    def removing(*arguments: object, **keywords: object) -> object:
        if next(drawn) == 1:
            rmtree(tmp_path / "out")
        return draw(*arguments, **keywords)

    monkeypatch.setattr(annotate_photos, "draw", removing)
    names = [tmp_path / f"{number}.png" for number in range(4)]
    assert annotate(*names, "-o", tmp_path / "out") == 1
    (failed,) = failures(capsys)
    gone = f"{tmp_path / 'out'} was removed or moved while it was written to"
    assert gone in failed
    assert failed.endswith("; 3 photographs were not annotated")
    assert not (tmp_path / "out").exists()
