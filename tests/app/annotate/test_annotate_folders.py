"""Folders as people have them: what is left out of them is told, and subfolders are searched on demand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.conftest import Annotate

Said = pytest.CaptureFixture[str]


def test_one_line_counts_by_kind_what_is_left_out(
    annotate: Annotate, photos: Path, tmp_path: Path, capsys: Said
) -> None:
    for name in ("1.xyz", "2.xyz", "notes.txt", ".hidden"):
        (photos / name).write_bytes(b"x")
    assert annotate(photos, "-o", tmp_path / "out", "--dry-run") == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    expected = "3 files left out, no picture and no video by name: 2 .xyz, 1 .txt"
    assert notes == [f"note: {photos}: {expected}"]


def test_subfolders_are_searched_on_demand(
    annotate: Annotate, photos: Path, tmp_path: Path, capsys: Said
) -> None:
    (photos / "deep").mkdir()
    (photos / "a.jpg").rename(photos / "deep" / "a.jpg")
    assert annotate(photos, "-o", tmp_path / "out", "--dry-run") == 0
    assert "2 to annotate" in capsys.readouterr().err
    assert annotate(photos, "-o", tmp_path / "out", "--dry-run", "--recursive") == 0
    assert "3 to annotate" in capsys.readouterr().err


def test_what_was_found_in_subfolders_goes_into_subfolders_of_the_same_names(
    annotate: Annotate, photos: Path, tmp_path: Path, capsys: Said
) -> None:
    (photos / "deep").mkdir()
    (photos / "deep" / "a.jpg").write_bytes((photos / "a.jpg").read_bytes())
    for clip in (photos / "clip.mp4", photos / "deep" / "clip.mp4"):
        clip.write_bytes(b"x")
    out = tmp_path / "out"
    assert annotate(photos, "-o", out, "--dry-run", "--recursive") == 0
    planned = {line.partition(" -> ")[2] for line in capsys.readouterr().out.splitlines()}
    assert planned == {
        *(str(out / name) for name in ("a.jpg", "b.png", "c.png", "clip_masks.mp4")),
        *(str(out / "deep" / name) for name in ("a.jpg", "clip_masks.mp4")),
    }
    assert annotate(photos, "-o", photos / "deep", "--dry-run", "--recursive") == 2


def test_whose_an_output_is_that_got_a_number_is_told(
    annotate: Annotate, photos: Path, tmp_path: Path, capsys: Said
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.jpg").write_bytes((photos / "a.jpg").read_bytes())
    assert annotate(photos, other, "-o", tmp_path / "out", "--dry-run") == 0
    told = f"note: {other / 'a.jpg'}: becomes {tmp_path / 'out' / 'a-2.jpg'}, for its name is taken"
    assert told in capsys.readouterr().err.splitlines()
