"""What tests of sinks share: results to write, whole clips taken through a sink, and files read back."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from itertools import count, islice
from pathlib import Path

import av
import numpy as np

from model.detections import Detections, MaskCrop, no_detections
from pipeline.frame import Frame, Image, Result
from pipeline.sinks.base import Sink, SinkReport
from pipeline.sinks.video import VideoSink
from pipeline.sources.base import SourceInfo
from pipeline.sources.video import open_video
from tests.clips import numbered_picture, turned

MILLISECOND = Fraction(1, 1000)


def info(
    path: Path | None = None,
    live: bool = False,
    width: int = 64,
    height: int = 48,
    rate: Fraction | None = Fraction(25),
) -> SourceInfo:
    return SourceInfo(str(path or "test"), live, width, height, frame_rate=rate, path=path)


def result(picture: Image, index: int = 0, pts: int = 0, time_base: Fraction = MILLISECOND) -> Result:
    """A result whose overlay is the picture itself, with nothing found."""
    frame = Frame(picture, index, pts, time_base, captured_at=0.0)
    return Result(frame, no_detections(frame.size, ("cat",)), annotated=picture)


def numbered(
    stamps: Sequence[int], time_base: Fraction = MILLISECOND, size: tuple[int, int] = (64, 48)
) -> Iterator[Result]:
    """Results with these stamps that show their number; `size` is (width, height)."""
    for index, pts in enumerate(stamps):
        yield result(numbered_picture(index, *size), index, pts, time_base)


def noise(frames: int, size: tuple[int, int] = (320, 240)) -> Iterator[Result]:
    """Results that no codec makes small, 40 ms apart."""
    random = np.random.default_rng(0)
    width, height = size
    for index in range(frames):
        yield result(random.integers(0, 256, (height, width, 3), np.uint8), index, 40 * index)


def two_cats(index: int = 0) -> Result:
    """A frame of 8 x 6 pixels with two detections that are tracked."""
    pixels = np.array([[True, True, False], [False, True, True]])
    detections = Detections(
        image_size=(6, 8),
        boxes=np.array([[1, 2, 4, 4], [0, 0, 8, 6]], np.float32),
        scores=np.array([0.9, 0.5], np.float32),
        classes=np.array([1, 0]),
        class_names=("dog", "cat"),
        crops=(MaskCrop(1, 2, pixels), MaskCrop(0, 0, np.ones((6, 8), bool))),
        box_scores=np.array([0.9, 0.5], np.float32),
        track_ids=np.array([7, 3]),
    )
    frame = Frame(np.zeros((6, 8, 3), np.uint8), index, 1001 * index, Fraction(1, 30_000), captured_at=0.0)
    return Result(frame, detections, annotated=frame.image)


def fill(sink: Sink, source: SourceInfo, results: Iterable[Result], complete: bool = True) -> SinkReport:
    """Open, write everything, close."""
    sink.open(source)
    write_all(sink, results)
    return sink.close(complete)


def write_all(sink: Sink, results: Iterable[Result]) -> None:
    for one in results:
        sink.write(one)


def frames_of(clip: Path, stride: int = 1) -> Iterator[Result]:
    """What a source would make of a clip, by PyAV alone and without rotation."""
    with av.open(str(clip)) as container:
        for index, frame in zip(count(), container.decode(video=0), strict=False):
            if index % stride == 0:
                assert frame.pts is not None
                assert frame.time_base is not None
                yield result(frame.to_ndarray(format="bgr24"), index, frame.pts, frame.time_base)


def through(
    sink: Sink,
    clip: Path,
    frames: int | None = None,
    stride: int = 1,
    complete: bool = True,
    rotation: int = 0,
) -> SinkReport:
    """Take a clip through a sink, up to so many frames, turned upright by `rotation` degrees."""
    results = list(islice(frames_of(clip, stride), frames))
    if rotation:
        results = [
            result(turned(r.frame.image, rotation), r.frame.index, r.frame.pts, r.frame.time_base)
            for r in results
        ]
    height, width = results[0].frame.size
    with closing(open_video(clip)) as source:
        looks = {"pixel_aspect": source.info.pixel_aspect, "colours": source.info.colours}
    return fill(sink, replace(info(clip, width=width, height=height), **looks), results, complete)


def annotated(sink: Sink, clip: Path, frame_rate: Fraction | None = None) -> SinkReport:
    """Take a clip through a sink by way of the product's own source, with nothing found."""
    options = {} if frame_rate is None else {"frame_rate": frame_rate}
    with closing(open_video(clip, threads=1, **options)) as source:
        frames = iter(source.read, None)
        results = (Result(f, no_detections(f.size, ("cat",)), annotated=f.image) for f in frames)
        return fill(sink, source.info, results)


def times(path: Path) -> list[Fraction]:
    """When the frames of a video are shown, by its packets."""
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
        return sorted(p.pts * p.time_base for p in packets if p.pts is not None)


def payloads(path: Path, kind: str) -> list[tuple[Fraction, bytes]]:
    """Time and content of every packet of the first stream of that kind."""
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams if s.type == kind)
        packets = [p for p in container.demux(stream) if p.size]
        return [(p.pts * p.time_base, bytes(p)) for p in packets if p.pts is not None]


def pictures(path: Path) -> list[Image]:
    """All frames of a video as BGR, [H, W, 3] uint8."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


def kinds(path: Path) -> list[str]:
    """What streams a file has."""
    with av.open(str(path)) as container:
        return [stream.type for stream in container.streams]


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def killed(folder: Path, suffix: str, source: Path | None = None) -> Path:
    """What is on the disk of a recording with some frames in it, whose program is gone."""
    folder.mkdir()
    sink = VideoSink(folder / f"o{suffix}", preset="ultrafast")
    sink.open(info(source))
    write_all(sink, islice(frames_of(source), 160) if source else noise(160, (96, 96)))
    (part,) = folder.iterdir()
    left = shutil.copy(part, folder.parent / f"o.0badcafe.part{suffix}")
    sink.close(complete=True)
    return left
