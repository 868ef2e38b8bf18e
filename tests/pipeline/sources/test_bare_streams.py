"""Files that are a codec's bare stream: their frames have no times, only the codec may know a rate."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from pathlib import Path

import pytest

from pipeline.sources.video import open_video
from pipeline.sources.video_file import frames_have_times
from tests.clips import write_clip
from tests.pipeline.sources.reading import read_all, read_video

NTSC = Fraction(30_000, 1001)
FILM = Fraction(24_000, 1001)
JPEG = {"codec": "mjpeg", "pixel_format": "yuvj420p"}
B_FRAMES = {"preset": "veryfast", "bf": "3"}


@pytest.mark.parametrize("rate", [NTSC, FILM, Fraction(50), Fraction(10)])
@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        ("h264", {"options": B_FRAMES}),
        ("hevc", {"codec": "libx265"}),
        ("m2v", {"codec": "mpeg2video", "options": {"bf": "2"}}),
    ],
)
def test_a_bare_stream_is_shown_as_fast_as_its_codec_says(
    tmp_path: Path, suffix: str, kind: dict[str, object], rate: Fraction
) -> None:
    if suffix == "m2v" and rate == 10:
        pytest.skip("MPEG-2 has no such rate")
    path = tmp_path / f"a.{suffix}"
    write_clip(path, frames=12, rate=rate, time_base=1 / rate, **kind)
    reading = read_video(path)
    assert reading.times == [number / rate for number in range(12)]
    assert reading.numbers == list(range(12))
    assert reading.info.frame_rate == rate
    told = f"its frames have no times; taken for {float(rate):.6g} a second (--frame-rate says otherwise)"
    assert reading.warnings == (told,)


@pytest.mark.parametrize("name", ["a.h264", "a.obu", "a.mjpeg", "a.bin"])
def test_who_knows_better_names_the_rate(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SVT_LOG", "1")  # its encoder asks once in a process, and talks otherwise
    kinds = {"a.obu": {"codec": "libsvtav1"}, "a.h264": {"options": B_FRAMES}}
    kind = kinds.get(name, JPEG | {"container": "mjpeg", "time_base": Fraction(1, 25)})
    write_clip(tmp_path / name, frames=12, **kind)
    reading = read_all(open_video(tmp_path / name, threads=1, frame_rate=NTSC))
    assert reading.times == [number / NTSC for number in range(12)]
    assert reading.info.frame_rate == NTSC
    assert reading.warnings == ()


def test_a_file_with_times_keeps_them_whatever_rate_is_named(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", frames=5)
    reading = read_all(open_video(tmp_path / "a.mp4", threads=1, frame_rate=NTSC))
    assert reading.times == [Fraction(number, 25) for number in range(5)]
    assert frames_have_times(tmp_path / "a.mp4")


@pytest.mark.parametrize("suffix", [".mjpeg", ".mjpg"])
@pytest.mark.parametrize("frames", [1, 12])
def test_a_row_of_jpegs_is_a_video(tmp_path: Path, suffix: str, frames: int) -> None:
    path = tmp_path / f"a{suffix}"
    write_clip(path, frames=frames, container="mjpeg", time_base=Fraction(1, 25), **JPEG)
    assert read_video(path).numbers == list(range(frames))
    assert not frames_have_times(path)


def test_a_bare_stream_can_be_sought_in(tmp_path: Path) -> None:
    path = tmp_path / "a.h264"
    write_clip(path, frames=40, rate=NTSC, time_base=1 / NTSC, options=B_FRAMES | {"g": "10"})
    numbers = read_video(path).numbers
    with closing(open_video(path, threads=1)) as source:
        for wanted in (30, 3, 22):
            source.seek(wanted / NTSC)
            frame = source.read()
            assert frame is not None
            assert frame.time == wanted / NTSC
            assert numbers[wanted] == wanted
