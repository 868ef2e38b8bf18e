"""A file that grows under a temporary name."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from model.errors import SinkError
from pipeline.sinks.part_file import PartFile, part_name
from tests.full_disk import no_file_longer_than
from tests.pipeline.sinks.recordings import left_in


def test_a_published_part_takes_its_place_and_leaves_nothing_else(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "a.txt")
    part.file.write(b"whole")
    assert left_in(tmp_path) == [part.part.name]
    part.publish()
    assert left_in(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_bytes() == b"whole"


def test_two_parts_of_one_file_do_not_meet(tmp_path: Path) -> None:
    first, second = PartFile(tmp_path / "a.txt"), PartFile(tmp_path / "a.txt")
    first.publish()
    with pytest.raises(SinkError, match="exists already"):
        second.publish()
    second.discard()
    assert left_in(tmp_path) == ["a.txt"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX")
def test_what_is_no_ordinary_file_is_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SinkError, match="pipe: is a device, a pipe or a socket; name a file"):
        PartFile(tmp_path / "pipe", overwrite=True)
    part = PartFile(tmp_path / "a.txt", overwrite=True)
    os.mkfifo(tmp_path / "a.txt")
    with pytest.raises(SinkError, match=r"a\.txt: is a device, a pipe or a socket"):
        part.publish()
    part.discard()
    assert left_in(tmp_path) == ["a.txt", "pipe"]
    assert all(stat.S_ISFIFO(path.stat().st_mode) for path in tmp_path.iterdir())


def test_a_kept_part_stays_and_a_discarded_one_goes(tmp_path: Path) -> None:
    kept, gone = PartFile(tmp_path / "a.txt"), PartFile(tmp_path / "b.txt")
    kept.file.write(b"half")
    gone.file.write(b"half")
    gone.discard()
    gone.discard()
    assert kept.keep() == kept.part
    assert gone.keep() is None
    assert left_in(tmp_path) == [kept.part.name]
    assert kept.part.read_bytes() == b"half"


def test_a_full_disk_at_the_end_is_a_sink_error_and_the_part_can_be_removed(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "a.txt")
    part.file.write(b"12345")
    with no_file_longer_than(2), pytest.raises(SinkError, match=r"a\.txt: cannot be written"):
        part.publish()
    part.discard()
    assert left_in(tmp_path) == []


def test_a_part_keeps_the_suffix_and_fits_into_a_name() -> None:
    name = part_name(Path("folder") / ("ü" * 120 + ".mp4"))
    assert name.parent == Path("folder")
    assert name.name.endswith(".part.mp4")
    assert len(name.name.encode()) < 255
