"""What a killed program left of a video becomes an ordinary file."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.sinks.unfinished import make_whole
from pipeline.sinks.video_check import read_facts
from tests.clips import write_clip
from tests.pipeline.sinks.recordings import killed


def boxes(path: Path) -> list[bytes]:
    """The kinds of a file's boxes of the top level."""
    data, at, kinds = path.read_bytes(), 0, []
    while at < len(data):
        kinds.append(data[at + 4 : at + 8])
        at += int.from_bytes(data[at : at + 4]) or len(data)
    return kinds


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("has_sound", [False, True])
def test_every_packet_and_stamp_is_in_the_file_that_it_becomes(
    tmp_path: Path, suffix: str, has_sound: bool
) -> None:
    clip = tmp_path / "clip.mp4"
    if has_sound:
        write_clip(clip, frames=170, seconds_of_audio=6.8)
    part = killed(tmp_path / "out", suffix, clip if has_sound else None)
    before = read_facts(part)
    assert b"moof" in boxes(part)
    assert len(before.ticks) >= 40
    assert bool(before.packets) == has_sound
    assert make_whole(part)
    after = read_facts(part)
    assert set(boxes(part)) - {b"free", b"wide"} == {b"ftyp", b"mdat", b"moov"}
    assert [t * after.unit for t in after.ticks] == [t * before.unit for t in before.ticks]
    assert (after.packets, after.sizes, after.error) == (before.packets, before.sizes, "")
    assert [path.name for path in tmp_path.glob("o.*")] == [part.name]


def test_what_is_whole_of_another_kind_or_damaged_stays_as_it_is(tmp_path: Path) -> None:
    whole = tmp_path / "a.mp4"
    write_clip(whole, frames=3)
    damaged = tmp_path / "b.mp4"
    damaged.write_bytes(b"\0\0\0\x08ftyp\0\0\0\x10moof12345678")
    other = tmp_path / "c.jsonl"
    other.write_text("{}\n")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert not any(make_whole(path) for path in before)
    assert not make_whole(tmp_path / "none.mp4")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
