"""A stream that appears behind what FFmpeg looks at when a file is opened ends nothing, and is told."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from pipeline.sinks.stream_copy import StreamCopier
from pipeline.sinks.video_check import read_facts
from pipeline.sources.demuxing import LATE
from pipeline.sources.video import open_video
from tests.clips import write_clip
from tests.pipeline.sources.reading import read_all

FRAMES = 200


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FLV whose sound, of which its header says nothing, begins at the end of the pictures."""
    path = tmp_path_factory.mktemp("late") / "late.flv"
    write_clip(path, size=(256, 192), frames=FRAMES)
    sound = b"".join(tag(FRAMES * 40 + 20 * number, bytes(1764)) for number in range(10))
    path.write_bytes(path.read_bytes() + sound)
    return path


def tag(milliseconds: int, samples: bytes) -> bytes:
    """16 bit PCM as FLV has it."""
    body = b"\x3e" + samples
    head = b"\x08" + len(body).to_bytes(3, "big") + milliseconds.to_bytes(3, "big") + bytes(4)
    return head + body + (len(head) + len(body)).to_bytes(4, "big")


def test_the_library_knows_nothing_of_such_a_stream(late: Path) -> None:
    with av.open(str(late)) as container:
        assert len(container.streams) == 1


def test_all_pictures_come_and_what_was_left_out_is_told(late: Path) -> None:
    reading = read_all(open_video(late))
    assert reading.numbers == list(range(FRAMES))
    assert reading.warnings.count(LATE) == 1


def test_its_packets_are_read_over_where_a_file_is_copied_or_checked(late: Path, tmp_path: Path) -> None:
    assert len(read_facts(late).ticks) == FRAMES
    assert read_facts(late).error == ""
    copier = StreamCopier(late)
    with av.open(str(tmp_path / "out.mkv"), "w"):
        assert len(list(copier._read())) >= FRAMES
    assert copier.dropped == [LATE]
    copier.close()
