"""Files that begin late, or before 0: everything in them is moved alike, and told."""

from __future__ import annotations

import json
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import pytest

from pipeline.sinks.jsonl import JsonLinesSink
from pipeline.sinks.tracks import track_sink
from pipeline.sinks.video import VideoSink
from pipeline.sources.video import open_video
from tests.clips import write_clip
from tests.pipeline.sinks.recordings import annotated, payloads, times

LATE = 60_000
AS_IT_IS = {"avoid_negative_ts": "disabled"}  # else a container may begin at 0 for all


def late(path: Path, video: Fraction = Fraction(LATE), audio: Fraction | None = None) -> Path:
    """Ten frames of a 25th of a second from a time on, and sound from another."""
    write_clip(path.with_name("plain.mp4"), frames=10, seconds_of_audio=0.4)
    wanted = {"video": video, "audio": audio}
    with (
        av.open(str(path.with_name("plain.mp4"))) as plain,
        av.open(str(path), "w", options=AS_IT_IS) as output,
    ):
        taken = [s for s in plain.streams if wanted[s.type] is not None]
        copies = {s.index: output.add_stream_from_template(s) for s in taken}
        for packet in (p for p in plain.demux(taken) if p.size and not p.is_discard):
            moved = round(wanted[packet.stream.type] / packet.time_base)
            packet.pts, packet.dts = packet.pts + moved, packet.dts + moved
            packet.stream = copies[packet.stream_index]
            output.mux(packet)
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("kind", [".ts", ".mkv", ".mp4"])
def test_a_file_that_begins_late_begins_at_0_and_says_so(tmp_path: Path, kind: str, suffix: str) -> None:
    clip = late(tmp_path / f"in{kind}")
    first = times(clip)[0]
    report = annotated(VideoSink(tmp_path / f"out{suffix}"), clip)
    assert times(tmp_path / f"out{suffix}") == [Fraction(n, 25) for n in range(10)]
    assert f"begins at {float(first):.3f} s in the source, at 0 here" in report.summary
    assert first >= LATE


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("kind", [".ts", ".mkv"])
@pytest.mark.parametrize("ahead", [Fraction(3, 10), Fraction(-3, 10)])
def test_sound_and_pictures_keep_their_distance(
    tmp_path: Path, kind: str, suffix: str, ahead: Fraction
) -> None:
    clip = late(tmp_path / f"in{kind}", audio=LATE - ahead)
    annotated(VideoSink(tmp_path / f"out{suffix}"), clip)
    sound, picture = payloads(tmp_path / f"out{suffix}", "audio"), times(tmp_path / f"out{suffix}")
    assert picture[0] - sound[0][0] == pytest.approx(float(ahead), abs=0.001)
    assert min(picture[0], sound[0][0]) == pytest.approx(0, abs=0.001)
    assert len(sound) == len(payloads(clip, "audio"))


def test_pictures_that_begin_before_0_keep_sound_that_begins_earlier(tmp_path: Path) -> None:
    clip = late(tmp_path / "in.ts", video=Fraction(-2, 5), audio=Fraction(-7, 10))
    report = annotated(VideoSink(tmp_path / "out.mp4"), clip)
    sound, picture = payloads(tmp_path / "out.mp4", "audio"), times(tmp_path / "out.mp4")
    assert picture[0] == pytest.approx(0.3, abs=0.001)
    assert sound[0][0] == pytest.approx(0, abs=0.001)
    assert "begins at -0.700 s in the source, at 0 here" in report.summary


def test_json_and_tracks_count_like_the_video_and_json_tells_the_sources_own_time(tmp_path: Path) -> None:
    clip = late(tmp_path / "in.mkv")
    report = annotated(JsonLinesSink(tmp_path / "o.jsonl"), clip)
    records = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert [r["time"] for r in records] == [n / 25 for n in range(10)]
    assert [r["source_time"] for r in records] == [LATE + n / 25 for n in range(10)]
    assert "begins at 60000.000 s in the source, at 0 here" in report.summary
    report = annotated(track_sink("coco", tmp_path / "o.json"), clip)
    images = json.loads((tmp_path / "o.json").read_text())["images"]
    assert [i["time"] for i in images] == [n / 25 for n in range(10)]
    assert "begins at 60000.000 s" in report.summary


def test_a_file_that_begins_at_0_is_told_without_a_word_of_it(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.mp4", frames=3, seconds_of_audio=0.2)  # its sound begins before 0
    report = annotated(JsonLinesSink(tmp_path / "o.jsonl"), tmp_path / "in.mp4")
    assert report.summary == "3 frames, 0.000 to 0.080 s, 0 detections"
    assert "source_time" not in (tmp_path / "o.jsonl").read_text()


@pytest.mark.parametrize("kind", [".ts", ".mkv", ".mp4"])
def test_a_file_that_begins_late_lasts_as_long_as_it_is_shown(tmp_path: Path, kind: str) -> None:
    with closing(open_video(late(tmp_path / f"in{kind}"))) as source:
        assert source.info.duration == pytest.approx(0.4, abs=0.001)
        assert source.info.frame_count in (10, None)
