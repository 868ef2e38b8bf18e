"""Files are written whole or not at all, with nothing left beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.atomic import draft, draft_folder, write_bytes
from tests.full_disk import no_file_longer_than


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_and_no_draft_is_left(tmp_path: Path):
    path = tmp_path / "a.json"
    write_bytes(path, b"old")

    write_bytes(path, b"new")

    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["a.json"]


def test_a_full_disk_leaves_the_older_file_and_no_draft(tmp_path: Path):
    path = tmp_path / "a.json"
    write_bytes(path, b"old")

    with no_file_longer_than(100), pytest.raises(OSError, match="too large"):
        write_bytes(path, b"new" * 1000)

    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.json"]


def test_a_draft_is_hidden_and_removed_when_the_block_raises(tmp_path: Path):
    def write(unfinished: Path) -> None:
        unfinished.write_bytes(b"half")
        assert unfinished.match(".a.pt.*.partial")
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"), draft(tmp_path / "a.pt") as unfinished:
        write(unfinished)

    assert names(tmp_path) == []


def test_a_name_of_255_bytes_has_a_draft_too(tmp_path: Path):
    path = tmp_path / ("ü" * 127)

    write_bytes(path, b"new")

    assert path.read_bytes() == b"new"


class TestFilesThatBelongTogether:
    def test_a_block_that_fails_changes_nothing(self, tmp_path: Path):
        path = tmp_path / "a.xml"
        path.write_text("old")

        def write(unfinished: Path) -> None:
            unfinished.write_text("new")
            raise ValueError("stop")

        with pytest.raises(ValueError, match="stop"), draft_folder(path) as unfinished:
            write(unfinished)

        assert [p.name for p in tmp_path.iterdir()] == ["a.xml"]
        assert path.read_text() == "old"

    def test_everything_beside_the_draft_is_moved(self, tmp_path: Path):
        path = tmp_path / "folder" / "a.xml"

        with draft_folder(path) as unfinished:
            assert unfinished.name == path.name
            assert not path.exists()
            unfinished.write_text("graph")
            unfinished.with_suffix(".bin").write_text("weights")

        assert {p.name: p.read_text() for p in path.parent.iterdir()} == {
            "a.xml": "graph",
            "a.bin": "weights",
        }

    def test_the_named_file_is_moved_last(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        order: list[str] = []
        monkeypatch.setattr("model.atomic.replace", lambda source, path: order.append(path.name))
        path = tmp_path / "new" / "a.bin"

        with draft_folder(path) as unfinished:
            unfinished.write_bytes(b"graph")
            unfinished.with_suffix(".xml").write_bytes(b"weights")

        assert order == ["a.xml", "a.bin"]
        assert names(path.parent) == []
