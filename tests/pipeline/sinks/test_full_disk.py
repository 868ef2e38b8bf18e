"""Every sink that writes, on a real disk that is full: a tiny one in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

import pytest

from model.errors import SinkError
from pipeline.frame import Result
from pipeline.sinks.base import Sink
from pipeline.sinks.image_files import ImagesSink
from pipeline.sinks.jsonl import JsonLinesSink
from pipeline.sinks.video import VideoSink
from tests.full_disk import small_disk
from tests.pipeline.sinks.recordings import fill, info, left_in, noise, two_cats, write_all

SIZE = 512 * 1024  # bytes

# final name -> sink and results that are larger than the disk
CASES: dict[str, tuple[Callable[[Path], Sink], Callable[[], Iterator[Result]]]] = {
    "o.mp4": (lambda path: VideoSink(path, preset="ultrafast"), lambda: noise(150)),
    "o.mkv": (lambda path: VideoSink(path, preset="ultrafast"), lambda: noise(150)),
    "o.jsonl": (JsonLinesSink, lambda: map(two_cats, range(5000))),
    "o": (ImagesSink, lambda: noise(50)),
}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder that is a disk of `SIZE` bytes."""
    with small_disk(tmp_path / "disk", SIZE) as folder:
        yield folder


def fill_up(disk: Path) -> None:
    """Take what is left of the space, to the last block."""
    with suppress(OSError), (disk / "filler").open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


@pytest.mark.parametrize("name", CASES)
def test_a_disk_that_fills_up_is_told_in_one_line_and_nothing_passes_for_whole(disk: Path, name: str) -> None:
    make, results = CASES[name]
    sink = make(disk / name)
    sink.open(info())
    with pytest.raises(SinkError, match=r"(?i)cannot be written: no space left on device$") as caught:
        write_all(sink, results())
    report = sink.close(complete=False)
    assert "\n" not in str(caught.value)
    assert not report.whole
    assert not (disk / name).exists()
    assert report.path is None or report.path.exists()
    assert left_in(disk) == ([report.path.name] if report.path else [])


def test_images_that_were_written_before_the_disk_was_full_are_whole(disk: Path) -> None:
    sink = ImagesSink(disk / "o", ".png")
    sink.open(info())
    with pytest.raises(SinkError):
        write_all(sink, noise(50, (160, 120)))
    report = sink.close(complete=False)
    assert report.path is not None
    sizes = [path.stat().st_size for path in report.path.iterdir()]
    assert len(sizes) > 3
    assert min(sizes) > 160 * 120 * 3  # noise does not compress
    assert report.summary.startswith(f"{len(sizes)} frames")


def test_a_disk_without_any_space_is_told_by_the_first_frame(disk: Path) -> None:
    fill_up(disk)
    for name in ("o.jsonl", "o"):
        make, results = CASES[name]
        sink = make(disk / name)
        with pytest.raises(SinkError, match="cannot be written: No space left on device"):
            fill(sink, info(), results())
        assert sink.close(complete=False).path is None
    assert left_in(disk) == ["filler"]


def test_a_video_whose_end_does_not_fit_is_told_by_close(disk: Path) -> None:
    sink = VideoSink(disk / "o.mp4")
    sink.open(info())
    write_all(sink, islice(noise(30), 20))  # all of it is still within the encoder
    fill_up(disk)
    with pytest.raises(SinkError, match="cannot be written: no space left on device") as caught:
        sink.close(complete=True)
    assert "\n" not in str(caught.value)
    assert not (disk / "o.mp4").exists()
