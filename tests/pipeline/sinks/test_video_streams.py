"""The video sink: audio, subtitles and metadata of the source, taken over as they are."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from pipeline.sinks.video import VideoSink
from tests.clips import write_clip
from tests.pipeline.sinks.recordings import fill, info, kinds, numbered, payloads, through, times


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """2 s of video with audio that is a little longer."""
    write_clip(tmp_path / "in.mp4", frames=50, seconds_of_audio=2.1)
    return tmp_path / "in.mp4"


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_audio_is_copied_bit_by_bit_and_at_its_own_time(tmp_path: Path, clip: Path, suffix: str) -> None:
    report = through(VideoSink(tmp_path / f"out{suffix}"), clip)
    assert payloads(tmp_path / f"out{suffix}", "audio") == payloads(clip, "audio")
    assert report.summary == "50 frames, 0.000 to 1.960 s, audio kept"
    assert not report.problems


def test_matroska_takes_the_same_audio_to_the_millisecond_and_moves_no_frame(
    tmp_path: Path, clip: Path
) -> None:
    through(VideoSink(tmp_path / "out.mkv"), clip)
    before, after = payloads(clip, "audio"), payloads(tmp_path / "out.mkv", "audio")
    assert [data for _, data in after] == [data for _, data in before]
    assert max(abs(a - b) for (a, _), (b, _) in zip(after, before, strict=True)) <= Fraction(1, 1000)
    assert times(tmp_path / "out.mkv") == times(clip)


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "mov_text"), (".mkv", "subrip")])
def test_subtitles_stay_with_their_times(tmp_path: Path, suffix: str, codec: str) -> None:
    source = tmp_path / f"in{suffix}"
    write_clip(source, frames=25, subtitles=["one", "two", "three"], subtitle_codec=codec, seconds_of_audio=1)
    report = through(VideoSink(tmp_path / f"out{suffix}"), source)
    before, after = payloads(source, "subtitle"), payloads(tmp_path / f"out{suffix}", "subtitle")
    assert after[: len(before)] == before  # mp4 ends the last one by an empty one
    assert "audio and subtitles kept" in report.summary
    assert not report.problems


def test_what_the_container_cannot_hold_is_left_out_and_named(tmp_path: Path, clip: Path) -> None:
    report = through(VideoSink(tmp_path / "out.webm"), clip, frames=5)
    assert kinds(tmp_path / "out.webm") == ["video"]
    assert "audio (aac) dropped (webm cannot hold it)" in report.summary
    assert report.whole


def test_subtitles_of_another_kind_are_named(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.mkv", subtitles=["one"], subtitle_codec="subrip")
    report = through(VideoSink(tmp_path / "out.mp4"), tmp_path / "in.mkv")
    assert "subtitles (srt) dropped (mp4 cannot hold it)" in report.summary


@pytest.mark.parametrize("complete", [False, True])
def test_audio_ends_with_the_last_frame_where_the_video_goes_on(
    tmp_path: Path, clip: Path, complete: bool
) -> None:
    report = through(VideoSink(tmp_path / "out.mp4"), clip, frames=10, complete=complete)
    assert report.path is not None
    audio, whole = payloads(report.path, "audio"), payloads(clip, "audio")
    assert audio == [packet for packet in whole if packet[0] < Fraction(10, 25)]
    assert report.whole is complete


def test_audio_that_goes_on_after_the_last_frame_stays_whole(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.mp4", frames=5, seconds_of_audio=12)
    through(VideoSink(tmp_path / "out.mp4"), tmp_path / "in.mp4")
    assert payloads(tmp_path / "out.mp4", "audio") == payloads(tmp_path / "in.mp4", "audio")


def test_with_a_stride_the_audio_stays_whole(tmp_path: Path, clip: Path) -> None:
    through(VideoSink(tmp_path / "out.mp4", stride=7), clip, stride=7)
    assert payloads(tmp_path / "out.mp4", "audio") == payloads(clip, "audio")


def test_audio_and_video_lie_side_by_side_in_the_file(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.mp4", frames=400, seconds_of_audio=16)
    through(VideoSink(tmp_path / "out.mkv"), tmp_path / "in.mp4")
    with av.open(str(tmp_path / "out.mkv")) as container:
        order = [(p.stream.type, p.dts * p.time_base) for p in container.demux() if p.dts is not None]
    reached = {"video": Fraction(0), "audio": Fraction(0)}
    for kind, time in order:
        reached[kind] = time
        assert abs(reached["video"] - reached["audio"]) < 1


def test_a_source_that_breaks_off_gives_the_audio_that_is_there(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.mkv", frames=100, seconds_of_audio=4)
    whole = (tmp_path / "in.mkv").read_bytes()
    (tmp_path / "in.mkv").write_bytes(whole[: len(whole) // 2])
    report = through(VideoSink(tmp_path / "out.mkv"), tmp_path / "in.mkv")
    audio = payloads(tmp_path / "out.mkv", "audio")
    assert report.whole
    assert 10 < len(audio) < 180


def test_audio_of_a_transport_stream_fits_into_mp4(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.ts", frames=25, seconds_of_audio=1)
    report = through(VideoSink(tmp_path / "out.mp4"), tmp_path / "in.ts")
    before, after = payloads(tmp_path / "in.ts", "audio"), payloads(tmp_path / "out.mp4", "audio")
    header = 7  # bytes of ADTS, which mp4 keeps in one place for all packets
    assert [data for _, data in after] == [data[header:] for _, data in before]
    assert times(tmp_path / "out.mp4") == times(tmp_path / "in.ts")
    assert not report.problems


def test_audio_that_stands_still_loses_those_packets_and_nothing_else(tmp_path: Path, clip: Path) -> None:
    with av.open(str(clip)) as plain, av.open(str(tmp_path / "in.mkv"), "w") as source:
        copies = {s.index: source.add_stream_from_template(s) for s in plain.streams}
        for packet in (p for p in plain.demux() if p.size):
            if packet.stream.type == "audio" and packet.dts is not None:
                packet.pts = packet.dts = packet.dts // 4096 * 4096  # four at a time: Matroska does not mind
            packet.stream = copies[packet.stream_index]
            source.mux(packet)
    report = through(VideoSink(tmp_path / "out.mp4"), tmp_path / "in.mkv")
    assert report.whole
    assert len(times(tmp_path / "out.mp4")) == 50
    assert "packets without a usable time stamp left out" in report.problems[0]


def test_a_source_that_is_gone_costs_its_audio_but_not_the_video(tmp_path: Path, clip: Path) -> None:
    clip.unlink()
    report = fill(VideoSink(tmp_path / "out.mp4"), info(clip), numbered([0, 40, 80]))
    assert report.whole
    assert "nothing copied from the source: no such file" in report.summary


def test_title_date_and_language_stay_and_the_place_does_not(tmp_path: Path) -> None:
    write_clip(tmp_path / "plain.mp4", seconds_of_audio=0.3)
    given = {"title": "Cars", "creation_time": "2018-04-19T22:46:00.000000Z", "location": "+48.1+011.6/"}
    with av.open(str(tmp_path / "plain.mp4")) as plain, av.open(str(tmp_path / "in.mp4"), "w") as source:
        source.metadata.update(given)
        copies = {s.index: source.add_stream_from_template(s) for s in plain.streams}
        copies[1].metadata["language"] = "fra"
        for packet in plain.demux():
            if packet.size:
                packet.stream = copies[packet.stream_index]
                source.mux(packet)
    through(VideoSink(tmp_path / "out.mp4"), tmp_path / "in.mp4")
    with av.open(str(tmp_path / "out.mp4")) as made:
        assert made.metadata["title"] == "Cars"
        assert made.metadata["creation_time"] == given["creation_time"]
        assert not any("location" in key for key in made.metadata)
        assert made.streams.audio[0].language == "fra"


def test_attachments_and_second_videos_are_named_and_left_out(tmp_path: Path) -> None:
    write_clip(tmp_path / "plain.mp4", frames=5)
    with av.open(str(tmp_path / "plain.mp4")) as plain, av.open(str(tmp_path / "in.mkv"), "w") as source:
        targets = [source.add_stream_from_template(plain.streams.video[0]) for _ in range(2)]
        source.add_attachment("font.ttf", "font/ttf", b"letters")
        for packet in plain.demux():
            if packet.size:
                data, stamps = bytes(packet), (packet.pts, packet.dts, packet.time_base)
                for target in targets:
                    copy = av.Packet(data)
                    (copy.pts, copy.dts, copy.time_base), copy.stream = stamps, target
                    copy.is_keyframe = packet.is_keyframe
                    source.mux(copy)
    report = through(VideoSink(tmp_path / "out.mkv"), tmp_path / "in.mkv")
    assert kinds(tmp_path / "out.mkv") == ["video"]
    assert "second video stream dropped, attachment dropped" in report.summary
