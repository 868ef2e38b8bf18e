"""The video sink: pixels that are not square stay so, in every container and codec."""

from __future__ import annotations

import zlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest

from pipeline.sinks.base import SinkReport
from pipeline.sinks.codecs import available
from pipeline.sinks.formats import CONTAINERS
from pipeline.sinks.matroska import elements
from pipeline.sinks.video import VideoSink
from tests.clips import write_clip
from tests.pipeline.sinks.recordings import fill, info, numbered, pictures, through

DVD = Fraction(64, 45)
TRACKS, SEGMENT, CRC = 0x1654AE6B, 0x18538067, 0xBF
PAIRS = [(suffix, codec) for suffix, container in CONTAINERS.items() for codec in container.codecs]


def written(path: Path, codec: str | None, aspect: Fraction, complete: bool = True) -> SinkReport:
    source = replace(info(width=128, height=96), pixel_aspect=aspect)
    return fill(VideoSink(path, codec), source, numbered([0, 40, 80], size=(128, 96)), complete)


def aspect_of(path: Path) -> Fraction | None:
    with av.open(str(path)) as container:
        return container.streams.video[0].sample_aspect_ratio


@pytest.mark.parametrize(
    ("suffix", "codec"), [p for p in PAIRS if "nvenc" not in p[1] and p[1] in available()]
)
def test_every_pair_on_offer_keeps_the_shape_of_pixels(tmp_path: Path, suffix: str, codec: str) -> None:
    path = tmp_path / f"o{suffix}"
    report = written(path, codec, DVD)
    assert not report.problems
    assert abs(aspect_of(path) / DVD - 1) < Fraction(1, 100)
    assert len(pictures(path)) == 3


@pytest.mark.parametrize("aspect", [Fraction(12, 11), Fraction(40, 33), Fraction(3, 4), Fraction(2)])
def test_matroska_tells_any_shape_exactly(tmp_path: Path, aspect: Fraction) -> None:
    written(tmp_path / "o.mkv", "ffv1", aspect)
    assert aspect_of(tmp_path / "o.mkv") == aspect


@pytest.mark.parametrize("name", ["o.mkv", "o.webm"])
def test_what_kept_the_room_is_gone_and_the_check_sum_is_right(tmp_path: Path, name: str) -> None:
    written(tmp_path / name, None, DVD)
    with av.open(str(tmp_path / name)) as container:
        assert "title" not in container.streams.video[0].metadata
    data = (tmp_path / name).read_bytes()
    segment = next(one for one in elements(data, 0, len(data)) if one.id == SEGMENT)
    tracks = next(one for one in elements(data, segment.begin, segment.end) if one.id == TRACKS)
    first = next(elements(data, tracks.begin, tracks.end))
    if first.id == CRC:  # WebM has none
        told = int.from_bytes(data[first.begin : first.end], "little")
        assert told == zlib.crc32(data[first.end : tracks.end])
    assert (first.id == CRC) == name.endswith("mkv")


def test_a_track_keeps_its_name_and_its_sound_beside_the_shape(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.mkv", frames=5, seconds_of_audio=0.2, options={"aspect": "4:3"})
    report = through(VideoSink(tmp_path / "out.mkv", codec="vp9"), tmp_path / "in.mkv")
    assert not report.problems
    assert aspect_of(tmp_path / "out.mkv") == Fraction(4, 3)
    assert "audio kept" in report.summary


def test_a_part_that_was_stopped_has_the_shape_too(tmp_path: Path) -> None:
    report = written(tmp_path / "o.mkv", "vp9", DVD, complete=False)
    assert report.path is not None
    assert report.path.name.endswith(".part.mkv")
    assert aspect_of(report.path) == DVD


def test_square_pixels_are_said_as_ever(tmp_path: Path) -> None:
    written(tmp_path / "o.mkv", None, Fraction(1))
    assert aspect_of(tmp_path / "o.mkv") in (None, 1)


@pytest.mark.parametrize("rotation", [0, 90])
def test_pixels_keep_their_shape_and_turn_with_the_picture(tmp_path: Path, rotation: int) -> None:
    # FFmpeg's encoders take the shape of a pixel under the name of that of a picture
    write_clip(tmp_path / "in.mkv", frames=2, rotation=rotation, options={"aspect": "4:3"})
    through(VideoSink(tmp_path / "out.mkv"), tmp_path / "in.mkv", rotation=rotation)
    assert aspect_of(tmp_path / "out.mkv") == (Fraction(3, 4) if rotation else Fraction(4, 3))
