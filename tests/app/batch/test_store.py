"""Small records that are written once, by whomever."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from app.batch.fingerprint import PART, WHOLE, fingerprint_of
from app.batch.records import key_of
from app.batch.store import read_record, write_once
from model.errors import SinkError, SourceError


def test_of_many_who_write_a_record_at_a_time_one_is_told_that_it_was_him(tmp_path: Path):
    path, told = tmp_path / "deep" / "record.json", []
    gate = threading.Barrier(8)

    def write(number: int) -> None:
        gate.wait()
        told.append((write_once(path, {"number": number}), number))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    (winner,) = [number for was_written, number in told if was_written]
    assert read_record(path) == {"number": winner}
    assert [one.name for one in path.parent.iterdir()] == ["record.json"]


def test_what_is_no_record_is_none(tmp_path: Path):
    (tmp_path / "half.json").write_text('{"key": ')
    (tmp_path / "list.json").write_text("[]")
    assert [read_record(tmp_path / name) for name in ("half.json", "list.json", "absent.json")] == [None] * 3


def test_a_record_that_cannot_be_written_is_an_error_in_a_line(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match="cannot be written"):
        write_once(tmp_path / "file" / "record.json", {})


def test_a_drive_without_hard_links_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def no_links(source: Path, path: Path) -> None:  # as a stick with FAT has it
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(SinkError, match="knows no hard links"):
        write_once(tmp_path / "record.json", {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", [0, WHOLE // 2, WHOLE - 1])
def test_every_byte_of_a_small_input_counts(tmp_path: Path, place: int):
    path = tmp_path / "input"
    content = bytearray(WHOLE)
    path.write_bytes(content)
    before = fingerprint_of(path)
    content[place] = 1
    path.write_bytes(content)
    assert fingerprint_of(path).samples != before.samples


def test_of_a_large_input_the_first_and_the_last_bytes_count(tmp_path: Path):
    path = tmp_path / "input"
    found = set()
    for place in (None, 0, PART - 1, 3 * WHOLE - 1):
        content = bytearray(3 * WHOLE)
        if place is not None:
            content[place] = 1
        path.write_bytes(content)
        found.add(fingerprint_of(path).samples)
    assert len(found) == 4


def test_an_input_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(SourceError, match=r"absent\.mp4: cannot be read"):
        fingerprint_of(tmp_path / "absent.mp4")


def test_keys_of_one_name_begin_alike_and_differ_by_input_and_settings(tmp_path: Path):
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    one, two = fingerprint_of(tmp_path / "a"), fingerprint_of(tmp_path / "b")
    keys = {key_of("clip.mp4", one, "x"), key_of("clip.mp4", two, "x"), key_of("clip.mp4", one, "y")}
    assert len(keys) == 3
    assert len({key.partition("-")[0] for key in keys}) == 1
    assert key_of("other.mp4", one, "x").partition("-")[0] not in {key.partition("-")[0] for key in keys}
