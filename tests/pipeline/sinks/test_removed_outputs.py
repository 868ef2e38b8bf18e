"""What is written to is removed meanwhile: it is told soon, and not at the end of a night."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree

import pytest

from model.errors import SinkError
from pipeline.sinks import part_file
from pipeline.sinks.base import Sink
from pipeline.sinks.image_files import ImagesSink
from pipeline.sinks.jsonl import JsonLinesSink
from pipeline.sinks.part_file import PartFile
from pipeline.sinks.tracks import track_sink
from pipeline.sinks.video import VideoSink
from tests.pipeline.sinks.recordings import info, numbered, write_all

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="there a file that is open cannot be removed, nor its folder"
)

MAKERS: dict[str, Callable[[Path], Sink]] = {
    "mp4": lambda folder: VideoSink(folder / "o.mp4"),
    "mkv": lambda folder: VideoSink(folder / "o.mkv"),
    "json": lambda folder: JsonLinesSink(folder / "o.jsonl"),
    "images": lambda folder: ImagesSink(folder / "o"),
    "tracks": lambda folder: track_sink("csv", folder / "o.csv", False),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_a_folder_that_is_removed_ends_the_writing_at_the_next_look(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_file, "LOOK_AGAIN", 0.0)
    folder = tmp_path / "out"
    folder.mkdir()
    sink = MAKERS[kind](folder)
    sink.open(info())
    write_all(sink, numbered([0, 40, 80]))
    rmtree(folder)
    with pytest.raises(SinkError, match=f"{folder} was removed or moved while it was written to"):
        write_all(sink, numbered([120]))
    report = sink.close(complete=False)
    assert report.path is None
    assert not report.whole


def test_it_looks_after_a_while_and_not_at_every_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count()
    monkeypatch.setattr(part_file, "LOOK_AGAIN", 3.0)
    monkeypatch.setattr(part_file, "monotonic", lambda: float(next(clock)))
    part = PartFile(tmp_path / "a.txt")  # at 0
    part.part.unlink()
    part.check_there()  # at 1
    part.check_there()  # at 2
    with pytest.raises(SinkError, match=rf"a\.txt: {part.part} was removed or moved while it was written"):
        part.check_there()
    part.discard()


def test_a_part_that_is_there_is_no_news(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_file, "LOOK_AGAIN", 0.0)
    part = PartFile(tmp_path / "a.txt")
    part.check_there()
    part.publish()
    assert (tmp_path / "a.txt").exists()
