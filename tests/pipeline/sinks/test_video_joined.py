"""Recordings that were joined byte by byte: pictures and sound go on together."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from pipeline.sinks.video import VideoSink
from pipeline.sources.timing.clock import clock_of
from tests.clips import number_of, write_clip
from tests.pipeline.sinks.recordings import annotated, payloads, pictures, times
from tests.pipeline.sinks.test_video_start import late
from tests.pipeline.sources.reading import read_video

KINDS: dict[str, dict[str, object]] = {
    "ts": {},
    "mpg": {"codec": "mpeg2video", "audio_codec": "mp2", "time_base": Fraction(1, 25)},
    "vob": {"codec": "mpeg2video", "audio_codec": "ac3", "time_base": Fraction(1, 25)},
}


def joined(
    path: Path, lengths: list[int], sound: bool, begins: tuple[int, ...] = (), **kind: object
) -> list[Path]:
    """Recordings of so many frames each, one behind the other; returns the parts."""
    parts = []
    for number, frames in enumerate(lengths):
        part = path.with_name(f"part{number}{path.suffix}")
        seconds = frames / 25 if sound else 0
        begin = begins[number] if begins else 0
        stamps = [round((begin + n / 25) / kind.get("time_base", Fraction(1, 12_800))) for n in range(frames)]
        write_clip(part, times=stamps, seconds_of_audio=seconds, **kind)
        parts.append(part)
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return parts


@pytest.mark.parametrize("suffix", ["ts", "mpg"])
@pytest.mark.parametrize("lengths", [[25, 25, 25], [50, 10, 7, 60]])
def test_parts_of_any_length_keep_it(tmp_path: Path, suffix: str, lengths: list[int]) -> None:
    path = tmp_path / f"in.{suffix}"
    joined(path, lengths, sound=False, **KINDS[suffix])
    reading = read_video(path)
    assert reading.numbers == [n for frames in lengths for n in range(frames)]
    begin = reading.times[0]
    assert [t - begin for t in reading.times] == [Fraction(n, 25) for n in range(sum(lengths))]
    assert reading.warnings == (f"time stamps began anew {len(lengths) - 1} time(s) and were continued",)


@pytest.mark.parametrize("out", [".mp4", ".mkv"])
@pytest.mark.parametrize("suffix", KINDS)
def test_the_sound_of_every_part_stays_with_its_pictures(tmp_path: Path, suffix: str, out: str) -> None:
    path = tmp_path / f"in.{suffix}"
    parts = joined(path, [25, 25, 50], sound=True, **KINDS[suffix])
    report = annotated(VideoSink(tmp_path / f"out{out}"), path)
    assert not report.problems
    assert "audio kept" in report.summary
    sound = [at for at, _ in payloads(tmp_path / f"out{out}", "audio")]
    assert len(sound) >= sum(len(payloads(part, "audio")) for part in parts) - len(parts)
    assert max(b - a for a, b in pairwise(sound)) < 0.1
    shown = times(tmp_path / f"out{out}")
    assert len(shown) == 100
    assert abs(sound[-1] - shown[-1]) < 0.1
    assert [number_of(p) for p in pictures(tmp_path / f"out{out}")] == [*range(25), *range(25), *range(50)]


def test_parts_from_quite_other_times_go_on_as_well(tmp_path: Path) -> None:
    parts = [late(tmp_path / f"{n}.ts", Fraction(n), Fraction(n)) for n in (7, 60_000, 3)]
    (tmp_path / "in.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    report = annotated(VideoSink(tmp_path / "out.mp4"), tmp_path / "in.ts")
    assert not report.problems
    shown = times(tmp_path / "out.mp4")
    assert len(shown) == 30
    assert shown[-1] < 1.3
    sound = payloads(tmp_path / "out.mp4", "audio")
    assert len(sound) == sum(len(payloads(part, "audio")) for part in parts)


def test_the_last_picture_of_a_part_is_not_shown_at_the_time_of_a_later_part(tmp_path: Path) -> None:
    joined(tmp_path / "in.mpg", [10, 10, 10], sound=False, begins=(10, 5, 900), **KINDS["mpg"])
    reading = read_video(tmp_path / "in.mpg")
    assert reading.numbers == [*range(10)] * 3
    assert [time - reading.times[0] for time in reading.times] == [Fraction(n, 25) for n in range(30)]


def test_a_picture_that_is_held_for_long_in_matroska_is_no_new_beginning(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.mkv", times=[0, 40, 3_600_000, 3_600_040], time_base=Fraction(1, 1000))
    assert read_video(tmp_path / "in.mkv").times[2] == 3600


def test_sound_that_goes_back_all_alone_leaves_the_pictures_as_they_are(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.ts", frames=50, seconds_of_audio=2)
    with av.open(str(tmp_path / "in.ts")) as container:
        clock = clock_of(container, container.streams.video[0])
        assert clock is not None
        shown, expected, heard = [], [], 0
        for packet in (p for p in container.demux() if p.size):
            assert packet.pts is not None
            if packet.stream.type == "video":
                expected.append(packet.pts)
            elif packet.pts > 90_000:
                packet.pts = packet.dts = packet.pts - 45_000
            for moved in clock.put(packet):
                shown += [moved.pts] if moved.stream.type == "video" else []
                heard += moved.stream.type == "audio"
        heard += len(list(clock.flush()))
        assert shown == expected
        assert heard == len(payloads(tmp_path / "in.ts", "audio"))
        assert clock.joints == 0
