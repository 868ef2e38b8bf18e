"""The last frame of a video is shown as long as in the source."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
from PIL import Image

from pipeline.sinks.video import VideoSink
from pipeline.sources.video_file import segment_end
from tests.clips import write_clip
from tests.pipeline.sinks.recordings import annotated, fill, info, numbered, payloads, times
from tests.pipeline.sources.reading import read_video

MILLISECOND = Fraction(1, 1000)
HELD = 7000  # milliseconds


def held(path: Path, bf: int = 0, **changes: object) -> Path:
    """Frames of 40 ms, the last of which is shown for 7 s."""
    plain = path.with_name(f"plain{path.suffix}")
    stamps = [40 * n for n in range(12)]
    options = {"preset": "veryfast", "bf": str(bf)}
    write_clip(plain, times=stamps, time_base=MILLISECOND, options=options, **changes)
    with av.open(str(plain)) as source, av.open(str(path), "w") as output:
        copies = [output.add_stream_from_template(s) for s in source.streams]
        packets = [p for p in source.demux() if p.size and not p.is_discard]
        last = [p for p in packets if p.stream.type == "video"][-1]
        for packet in packets:
            if packet is last:
                packet.duration = round(HELD * MILLISECOND / packet.time_base)
            packet.stream = copies[packet.stream_index]
            output.mux(packet)
    return path


def length(path: Path) -> Fraction:
    """How long a file lasts as other programs see it."""
    with av.open(str(path)) as container:
        return Fraction(container.duration, av.time_base)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("kind", [".mp4", ".mov", ".mkv"])
def test_a_picture_that_is_held_at_the_end_stays_as_long(tmp_path: Path, kind: str, suffix: str) -> None:
    clip = held(tmp_path / f"in{kind}")
    report = annotated(VideoSink(tmp_path / f"out{suffix}"), clip)
    assert length(tmp_path / f"out{suffix}") == Fraction(440 + HELD, 1000)
    assert times(tmp_path / f"out{suffix}") == times(clip)
    assert not report.problems


@pytest.mark.parametrize("kind", [".mp4", ".mkv"])
def test_a_held_picture_is_no_missing_end(tmp_path: Path, kind: str) -> None:
    reading = read_video(held(tmp_path / f"in{kind}"))
    assert reading.warnings == ()
    assert reading.info.duration == Fraction(440 + HELD, 1000)


def test_what_was_written_can_be_annotated_again_and_lasts_as_long(tmp_path: Path) -> None:
    annotated(VideoSink(tmp_path / "1.mp4"), held(tmp_path / "in.mp4"))  # now with B-frames
    annotated(VideoSink(tmp_path / "2.mp4"), tmp_path / "1.mp4")
    assert length(tmp_path / "2.mp4") == Fraction(440 + HELD, 1000)


@pytest.mark.parametrize("suffix", [".gif", ".png"])
def test_the_pause_at_the_end_of_an_animation_stays(tmp_path: Path, suffix: str) -> None:
    pictures = [Image.new("RGB", (32, 24), (60 * n, 80, 200)) for n in range(4)]
    path = tmp_path / f"in{suffix}"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[100, 100, 100, 3000], loop=0)
    annotated(VideoSink(tmp_path / "out.mp4"), path)
    assert length(tmp_path / "out.mp4") == pytest.approx(3.3, abs=0.001)


def test_sound_under_a_held_picture_stays_whole(tmp_path: Path) -> None:
    clip = held(tmp_path / "in.mp4", seconds_of_audio=3)
    annotated(VideoSink(tmp_path / "out.mp4"), clip)
    assert payloads(tmp_path / "out.mp4", "audio") == payloads(clip, "audio")


def test_a_pause_before_the_last_pictures_counts_in_how_long_others_say_it_lasts(tmp_path: Path) -> None:
    stamps = [*range(0, 2000, 40), 62_000, 62_040]
    fill(VideoSink(tmp_path / "o.mp4"), info(), numbered(stamps))
    assert length(tmp_path / "o.mp4") == Fraction(62_080, 1000)
    assert times(tmp_path / "o.mp4") == [Fraction(t, 1000) for t in stamps]


def test_a_file_that_breaks_off_does_not_hold_its_last_picture_for_what_is_missing(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.mkv", frames=100)
    whole = (tmp_path / "in.mkv").read_bytes()
    assert segment_end(whole) == len(whole)
    (tmp_path / "in.mkv").write_bytes(whole[: len(whole) // 2])
    annotated(VideoSink(tmp_path / "out.mp4"), tmp_path / "in.mkv")
    there = times(tmp_path / "out.mp4")
    assert there[-1] < 3
    assert length(tmp_path / "out.mp4") == pytest.approx(float(there[-1]) + 0.04, abs=0.05)


@pytest.mark.parametrize(
    "head", [b"", b"RIFF", bytes.fromhex("1a45dfa3"), bytes.fromhex("1a45dfa380"), b"\x1aE\xdf\xa3\x00"]
)
def test_what_is_no_matroska_or_not_enough_of_it_says_nothing_of_its_size(head: bytes) -> None:
    assert segment_end(head) is None
