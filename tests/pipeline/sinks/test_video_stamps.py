"""The video sink: every frame, in order, at its own exact time."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.sinks.encoder import OutputStamps, nominal_rate
from pipeline.sinks.video import VideoSink
from pipeline.sinks.video_check import faults, read_facts
from tests.clips import number_of, write_clip
from tests.pipeline.sinks.recordings import (
    MILLISECOND,
    fill,
    info,
    left_in,
    numbered,
    pictures,
    result,
    through,
    times,
)

UNEVEN = [0, 1, 2, 40, 41, 500, 501, 1700, 1701, 1702, 1703, 4000]


def decoded(path: Path) -> list[Fraction]:
    """When the frames of a video are shown that a player gets to see."""
    with av.open(str(path)) as container:
        shown = [(frame.pts, frame.time_base) for frame in container.decode(video=0)]
        return [pts * base for pts, base in shown if pts is not None and base is not None]


def any_stamps(choice: random.Random) -> list[int]:
    """1 to 12 stamps: short steps, then long ones, or the reverse, or in any order, or any steps at all."""
    count, change = choice.choice([1, 2, 3, 4, 5, 7, 9, 12]), choice.randrange(12)
    before, after = choice.choice([(512, 12_800), (12_800, 512), (1, 100_000), (100_000, 1), (512, 512)])
    steps = [before if number < change else after for number in range(count - 1)]
    if choice.random() < 0.4:
        choice.shuffle(steps)
    if choice.random() < 0.3:
        steps = [choice.randrange(1, 20_000) for _ in steps]
    return list(accumulate(steps, initial=choice.choice([0, 0, 1, choice.randrange(200_000)])))


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_every_frame_can_be_decoded_at_its_own_time_whatever_the_steps(
    tmp_path: Path, codec: str, suffix: str
) -> None:
    choice = random.Random(f"{codec}{suffix}")
    for number in range(50):
        stamps, path = any_stamps(choice), tmp_path / f"{number}{suffix}"
        time_base = Fraction(1, choice.choice([1000, 12_800, 90_000]))
        rate = choice.choice([None, Fraction(5)])
        report = fill(VideoSink(path, codec), info(rate=rate), numbered(stamps, time_base))
        assert not report.problems, stamps
        assert decoded(path) == [t * time_base for t in stamps]


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_the_last_of_a_few_frames_far_apart_is_decoded(tmp_path: Path, codec: str) -> None:
    stamps = range(0, 3600, 400)
    fill(VideoSink(tmp_path / "o.mp4", codec), info(), numbered(stamps))
    assert decoded(tmp_path / "o.mp4") == [Fraction(t, 1000) for t in stamps]
    assert edit_length((tmp_path / "o.mp4").read_bytes()) == 3600 * 16  # at 16 kHz, to the last one's end


def test_a_frame_that_players_drop_does_not_count_as_written(tmp_path: Path) -> None:
    path = tmp_path / "o.mp4"
    fill(VideoSink(path), info(), numbered(range(0, 360, 40)))
    stamps = OutputStamps(MILLISECOND, Fraction(1, 25))
    for time in range(0, 360, 40):
        stamps.add(time * MILLISECOND)
    assert not faults(read_facts(path), stamps, ())
    path.write_bytes(with_shorter_edit(path.read_bytes()))
    assert len(decoded(path)) == 8
    assert faults(read_facts(path), stamps, ()) == ["9 frames were written, 8 are there"]


def test_a_frame_at_another_time_than_was_meant_is_a_fault_whatever_the_units(tmp_path: Path) -> None:
    fill(VideoSink(tmp_path / "o.mkv"), info(), numbered([0, 40, 80]))
    for last, told in ((80, []), (81, ["1 of 3 frames have another time stamp than was written"])):
        stamps = OutputStamps(Fraction(1, 90_000), Fraction(1, 25))
        for time in (0, 40, last):
            stamps.add(time * MILLISECOND)
        assert faults(read_facts(tmp_path / "o.mkv"), stamps, ()) == told


def edit_length(video: bytes) -> int:
    """How long the only edit of an mp4 that begins at 0 is."""
    return int.from_bytes(video[edit_at(video) :][:4])


def with_shorter_edit(video: bytes) -> bytes:
    """An mp4 whose only edit ends an eighth of its length early."""
    at, length = edit_at(video), edit_length(video)
    return video[:at] + (length * 7 // 8).to_bytes(4) + video[at + 4 :]


def edit_at(video: bytes) -> int:
    return video.rindex(b"elst") + 12  # behind version, flags and count


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("start", [0, 1, 123_457])
@pytest.mark.parametrize(
    "time_base",
    [Fraction(1, 90_000), Fraction(1001, 30_000), Fraction(1, 25), Fraction(1, 1_000_000), Fraction(1, 1000)],
    ids=str,
)
def test_uneven_stamps_come_back_exactly_from_any_start(
    tmp_path: Path, suffix: str, start: int, time_base: Fraction
) -> None:
    stamps = [start + t for t in UNEVEN]
    report = fill(VideoSink(tmp_path / f"o{suffix}"), info(), numbered(stamps, time_base))
    assert not report.problems
    assert times(tmp_path / f"o{suffix}") == [t * time_base for t in stamps]


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("unit", [1_000_000_000, 10_000_000, 27_000_000])
def test_long_steps_in_a_very_fine_unit_are_counted_in_a_coarser_one(
    tmp_path: Path, suffix: str, unit: int
) -> None:
    stamps = [round(seconds * unit) for seconds in (0, 1 / 30, 2.5, 2.6, 400, 1900, 1900.04)]
    report = fill(VideoSink(tmp_path / f"o{suffix}"), info(), numbered(stamps, Fraction(1, unit)))
    assert report.whole
    assert not report.problems
    given, made = [Fraction(t, unit) for t in stamps], times(tmp_path / f"o{suffix}")
    assert max(abs(a - b) for a, b in zip(given, made, strict=True)) <= Fraction(1, 2_000_000)
    assert "rounded to 1/1000000 s, by 0.00 ms at most" in report.summary


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_matroska_takes_the_nearest_millisecond_and_says_so(tmp_path: Path, suffix: str) -> None:
    stamps = [90 * t + 31 for t in (0, 40, 80, 500)]
    report = fill(VideoSink(tmp_path / f"o{suffix}"), info(), numbered(stamps, Fraction(1, 90_000)))
    assert times(tmp_path / f"o{suffix}") == [Fraction(t, 1000) for t in (0, 40, 80, 500)]
    assert "rounded to 1/1000 s, by 0.34 ms at most" in report.summary
    assert not report.problems


def test_matroska_keeps_whole_milliseconds_without_a_word(tmp_path: Path) -> None:
    report = fill(VideoSink(tmp_path / "o.mkv"), info(), numbered(UNEVEN))
    assert times(tmp_path / "o.mkv") == [Fraction(t, 1000) for t in UNEVEN]
    assert report.summary == "12 frames, 0.000 to 4.000 s"


def test_frames_within_one_millisecond_stay_apart_in_matroska_and_are_reported(tmp_path: Path) -> None:
    report = fill(VideoSink(tmp_path / "o.mkv"), info(), numbered([0, 1, 2, 90], Fraction(1, 90_000)))
    assert times(tmp_path / "o.mkv") == [Fraction(t, 1000) for t in (0, 1, 2, 3)]
    assert report.whole
    assert "3 frames had no time stamp of their own" in report.problems[0]
    assert "rounded to 1/1000 s or moved, by 2.00 ms at most" in report.summary


def test_every_frame_shows_what_it_should_and_none_is_lost_doubled_or_swapped(tmp_path: Path) -> None:
    fill(VideoSink(tmp_path / "o.mp4"), info(), numbered(range(0, 4000, 40)))
    assert [number_of(picture) for picture in pictures(tmp_path / "o.mp4")] == list(range(100))


def test_a_variable_clip_keeps_the_stamps_of_its_frames(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.mp4", times=[100, 110, 2000, 2001, 9000], time_base=Fraction(1, 12_800))
    report = through(VideoSink(tmp_path / "out.mp4"), tmp_path / "in.mp4")
    assert times(tmp_path / "out.mp4") == times(tmp_path / "in.mp4")
    assert report.summary.startswith("5 frames, ")


def test_the_stamps_of_a_live_source_count_from_its_first_frame(tmp_path: Path) -> None:
    stamps = [900_000_000 + t for t in UNEVEN]
    fill(VideoSink(tmp_path / "o.mp4"), info(live=True), numbered(stamps))
    assert times(tmp_path / "o.mp4") == [Fraction(t, 1000) for t in UNEVEN]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_source_that_begins_before_0_begins_at_0(tmp_path: Path, suffix: str) -> None:
    report = fill(VideoSink(tmp_path / f"o{suffix}"), info(), numbered([-400, -360, -320, 40]))
    assert times(tmp_path / f"o{suffix}") == [Fraction(t, 1000) for t in (0, 40, 80, 440)]
    assert "begins at -0.400 s in the source, at 0 here" in report.summary


def test_stamps_that_stand_still_or_go_back_are_moved_and_no_frame_is_lost(tmp_path: Path) -> None:
    report = fill(VideoSink(tmp_path / "o.mp4"), info(), numbered([0, 40, 40, 20, 120]))
    assert len(times(tmp_path / "o.mp4")) == 5
    assert "2 frames" in report.problems[0]


def test_a_single_frame_makes_a_video(tmp_path: Path) -> None:
    report = fill(VideoSink(tmp_path / "o.mp4"), info(), numbered([40]))
    assert times(tmp_path / "o.mp4") == [Fraction(1, 25)]
    assert report.summary == "1 frame, 0.040 to 0.040 s"


@pytest.mark.parametrize("stride", [1, 5])
def test_the_header_carries_the_nominal_rate_of_the_frames_that_come(tmp_path: Path, stride: int) -> None:
    sink = VideoSink(tmp_path / "o.mkv", stride=stride)
    fill(sink, info(), numbered(range(0, 2000, 40 * stride)))
    with av.open(str(tmp_path / "o.mkv")) as container:
        assert container.streams.video[0].average_rate == Fraction(25, stride)


def test_without_an_overlay_the_bare_frame_is_written(tmp_path: Path) -> None:
    grey = np.full((48, 64, 3), 90, np.uint8)
    bare = result(grey)
    fill(VideoSink(tmp_path / "o.mp4"), info(), [type(bare)(bare.frame, bare.detections)])
    assert abs(int(pictures(tmp_path / "o.mp4")[0].mean()) - 90) <= 4


def test_nothing_but_the_video_is_left_in_the_folder(tmp_path: Path) -> None:
    fill(VideoSink(tmp_path / "o.mp4"), info(), numbered([0, 40]))
    assert left_in(tmp_path) == ["o.mp4"]


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (None, 30),
        (Fraction(0), 30),
        (Fraction(1000), 30),
        (Fraction(30_000, 1001), Fraction(30_000, 1001)),
        (Fraction(900_000, 94_517), Fraction(900_000, 94_517).limit_denominator(1001)),
        (Fraction(99_999_999, 1_000_003), Fraction(99_999_999, 1_000_003).limit_denominator(1001)),
    ],
    ids=str,
)
def test_a_rate_becomes_one_that_every_encoder_takes(given: Fraction | None, taken: Fraction) -> None:
    assert nominal_rate(given) == taken
    assert nominal_rate(given).numerator < 1 << 16


def test_the_last_frame_is_shown_as_long_as_the_one_before() -> None:
    stamps = OutputStamps(Fraction(1, 1000), interval=Fraction(1, 25))
    for time in (0, 50, 80):
        stamps.add(Fraction(time, 1000))
    assert [stamps.duration(i) for i in range(3)] == [50, 30, 30]
    assert stamps.end() == Fraction(110, 1000)
    assert [stamps.at(i) for i in (-2, -1, 0, 2)] == [-80, -40, 0, 80]
