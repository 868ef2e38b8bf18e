"""The video sink: whatever sound there is, chapters, names and languages are kept, or told."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.sinks import stream_choice
from pipeline.sinks.stream_names import moved_chapters, name_of
from pipeline.sinks.video import VideoSink
from tests.clips import write_clip
from tests.pipeline.sinks.recordings import annotated, payloads, through, times

MILLISECOND = Fraction(1, 1000)
CHAPTERS = [
    {
        "id": n + 1,
        "start": 400 * n,
        "end": 400 * n + 400,
        "time_base": MILLISECOND,
        "metadata": {"title": name},
    }
    for n, name in enumerate(("One", "Two", "Three"))
]
Edit = Callable[[av.container.OutputContainer, list[av.stream.Stream]], None]


def with_sound(path: Path, codec: str, layout: str = "stereo", rate: int = 48_000, **options: str) -> Path:
    """Ten pictures and 0.4 s of a tone, in any codec."""
    channels = av.AudioLayout(layout).nb_channels
    with av.open(str(path), "w") as output:
        video = output.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = output.add_stream(codec, rate=rate, options=options)
        audio.layout, audio.bit_rate = layout, 128_000
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * number, np.uint8), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        tone = (8000 * np.sin(np.arange(rate * 2 // 5) / 20)).astype(np.int16)
        for start in range(0, tone.size, 1600):
            part = np.repeat(tone[start : start + 1600], channels)[None]
            sound = av.AudioFrame.from_ndarray(part, format="s16", layout=layout)
            sound.sample_rate, sound.pts, sound.time_base = rate, start, Fraction(1, rate)
            output.mux(audio.encode(sound))
        output.mux(audio.encode(None))
    return path


def edited(path: Path, edit: Edit, seconds: float = 1.2) -> Path:
    """A clip with sound, copied into a container of which something was changed before its header."""
    plain = path.with_name("plain.mp4")
    write_clip(plain, frames=round(25 * seconds), seconds_of_audio=seconds)
    with av.open(str(plain)) as source, av.open(str(path), "w") as output:
        copies = [output.add_stream_from_template(s) for s in source.streams]
        edit(output, copies)
        for packet in (p for p in source.demux() if p.size and not p.is_discard):
            packet.stream = copies[packet.stream_index]
            output.mux(packet)
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("kind", ["avi", "mkv", "wmv", "nut", "mov"])
@pytest.mark.parametrize("layout", ["stereo", "5.1"])
def test_uncompressed_sound_of_several_channels_goes_into_every_container(
    tmp_path: Path, kind: str, suffix: str, layout: str
) -> None:
    clip = with_sound(tmp_path / f"in.{kind}", "pcm_s16le", layout)
    report = through(VideoSink(tmp_path / f"out{suffix}"), clip)
    assert report.whole
    assert not report.problems
    assert "audio kept" in report.summary
    before, after = payloads(clip, "audio"), payloads(tmp_path / f"out{suffix}", "audio")
    assert b"".join(data for _, data in after) == b"".join(data for _, data in before)


def test_sound_that_only_the_end_of_a_file_refuses_costs_no_video(tmp_path: Path) -> None:
    clip = with_sound(tmp_path / "in.avi", "pcm_s16le", "9.1.6")  # 16 channels: no layout is usual
    report = through(VideoSink(tmp_path / "out.mp4"), clip)
    assert report.whole
    assert "audio (pcm_s16le) dropped (mp4 cannot hold it)" in report.summary
    assert len(times(tmp_path / "out.mp4")) == 10


@pytest.mark.parametrize(
    ("codec", "kind"), [("pcm_mulaw", "mov"), ("pcm_alaw", "avi"), ("adpcm_ms", "avi"), ("wmav2", "wmv")]
)
def test_what_only_the_library_refuses_is_not_laid_to_the_container(
    tmp_path: Path, codec: str, kind: str
) -> None:
    report = through(VideoSink(tmp_path / "out.mkv"), with_sound(tmp_path / f"in.{kind}", codec))
    assert f"audio ({codec}) dropped (PyAV, by which files are written here, does not copy" in report.summary
    assert "cannot hold it" not in report.summary


@pytest.mark.parametrize("codec", ["tta", "flac", "wavpack", "ac3"])
def test_sound_that_is_told_as_kept_can_be_decoded(tmp_path: Path, codec: str) -> None:
    clip = with_sound(tmp_path / "in.mkv", codec)
    report = through(VideoSink(tmp_path / "out.mkv"), clip)
    assert "audio kept" in report.summary
    assert samples(tmp_path / "out.mkv") == samples(clip) > 19_000


def test_sound_that_cannot_be_decoded_from_the_trial_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_choice, "add_copy", without_description)
    report = through(VideoSink(tmp_path / "out.mkv"), with_sound(tmp_path / "in.mkv", "alac"))
    assert "audio (alac) dropped (it cannot be decoded any more from matroska)" in report.summary
    assert report.whole


def without_description(output: av.container.OutputContainer, stream: av.stream.Stream) -> av.stream.Stream:
    """What a writer makes of a stream whose description (the codec's extradata) it forgets."""
    target = output.add_stream_from_template(stream)
    target.codec_context.extradata = bytes(36)
    return target


def samples(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(frame.samples for frame in container.decode(audio=0))


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("kind", ["mp4", "mkv"])
def test_chapters_are_kept_with_their_names(tmp_path: Path, kind: str, suffix: str) -> None:
    clip = edited(tmp_path / f"in.{kind}", lambda output, streams: output.set_chapters(CHAPTERS))
    report = through(VideoSink(tmp_path / f"out{suffix}"), clip)
    assert "audio kept, 3 chapters kept" in report.summary
    assert "dropped" not in report.summary  # nor the track that is an mp4's list of them
    assert told_chapters(tmp_path / f"out{suffix}") == [(0, "One"), (0.4, "Two"), (0.8, "Three")]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_chapters_end_with_what_was_written(tmp_path: Path, suffix: str) -> None:
    clip = edited(tmp_path / "in.mkv", lambda output, streams: output.set_chapters(CHAPTERS))
    report = through(VideoSink(tmp_path / f"out{suffix}"), clip, frames=15)
    assert "2 chapters kept" in report.summary
    assert told_chapters(tmp_path / f"out{suffix}") == [(0, "One"), (0.4, "Two")]


@pytest.mark.parametrize(("suffix", "kept"), [(".mp4", 255), (".mov", 255), (".mkv", 300)])
def test_chapters_that_a_container_has_no_room_for_are_told(tmp_path: Path, suffix: str, kept: int) -> None:
    many = [CHAPTERS[0] | {"id": n + 1, "start": 4 * n, "end": 4 * n + 4} for n in range(300)]
    clip = edited(tmp_path / "in.mkv", lambda output, streams: output.set_chapters(many))
    report = through(VideoSink(tmp_path / f"out{suffix}"), clip)
    assert f"{kept} chapters kept" in report.summary
    assert ("45 of 300 chapters dropped" in report.summary) is (kept == 255)
    assert len(told_chapters(tmp_path / f"out{suffix}")) == kept


def told_chapters(path: Path) -> list[tuple[float, str]]:
    """When each one begins, and its name; an mp4 has no more."""
    with av.open(str(path)) as container:
        return [(float(c["start"] * c["time_base"]), c["metadata"]["title"]) for c in container.chapters()]


def test_chapters_move_with_the_beginning() -> None:
    kept = moved_chapters(CHAPTERS, Fraction(1, 2), None)
    assert [(c["start"], c["end"], c["metadata"]["title"]) for c in kept] == [
        (0, 300, "Two"),
        (300, 700, "Three"),
    ]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize(
    ("kind", "key"), [("mkv", "title"), ("mp4", "title"), ("mp4", "handler_name"), ("mov", "handler_name")]
)
def test_tracks_keep_their_names(tmp_path: Path, kind: str, key: str, suffix: str) -> None:
    def name(output: av.container.OutputContainer, streams: list[av.stream.Stream]) -> None:
        for stream, called in zip(streams, ("Camera 2", "Commentary"), strict=True):
            stream.metadata[key] = called

    through(VideoSink(tmp_path / f"out{suffix}"), edited(tmp_path / f"in.{kind}", name, seconds=0.4))
    with av.open(str(tmp_path / f"out{suffix}")) as made:
        assert [name_of(stream.metadata) for stream in made.streams] == ["Camera 2", "Commentary"]


@pytest.mark.parametrize(
    "filled_in",
    [
        "VideoHandler",
        "SoundHandler",
        "Core Media Audio",
        "ISO Media file produced by X",
        "Apple Sound Media Handler",
    ],
)
def test_what_programs_write_in_place_of_a_name_is_none(filled_in: str) -> None:
    assert name_of({"handler_name": filled_in}) == ""


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_every_language_is_kept(tmp_path: Path, suffix: str) -> None:
    languages = ["deu", "ger", "fra", "fre", "swe", "zho", "chi", "nld", "dut", "ces", "vie", "eng"]

    def speak(output: av.container.OutputContainer, streams: list[av.stream.Stream]) -> None:
        streams[0].metadata["language"] = "fin"
        for language in languages:
            stream = output.add_stream_from_template(streams[1])
            stream.metadata["language"] = language
            streams.append(stream)

    clip = several(tmp_path / "in.mkv", languages)
    report = through(VideoSink(tmp_path / f"out{suffix}"), clip)
    assert not report.problems
    with av.open(str(tmp_path / f"out{suffix}")) as made:
        assert [stream.language for stream in made.streams.audio] == languages
        assert made.streams.video[0].language == "fin"


def several(path: Path, languages: list[str]) -> Path:
    """A clip whose sound is there once for each language."""
    plain = path.with_name("plain.mp4")
    write_clip(plain, frames=5, seconds_of_audio=0.2)
    with av.open(str(plain)) as source, av.open(str(path), "w") as output:
        video = output.add_stream_from_template(source.streams.video[0])
        video.metadata["language"] = "fin"
        tracks = [output.add_stream_from_template(source.streams.audio[0]) for _ in languages]
        for track, language in zip(tracks, languages, strict=True):
            track.metadata["language"] = language
        for packet in (p for p in source.demux() if p.size and not p.is_discard):
            data, stamps = bytes(packet), (packet.pts, packet.dts, packet.time_base)
            for target in [video] if packet.stream.type == "video" else tracks:
                copy = av.Packet(data)
                (copy.pts, copy.dts, copy.time_base), copy.stream = stamps, target
                copy.is_keyframe = packet.is_keyframe
                output.mux(copy)
    return path


def test_a_language_that_a_container_has_no_place_for_is_told(tmp_path: Path) -> None:
    clip = several(tmp_path / "in.mkv", ["pt-BR"])
    report = through(VideoSink(tmp_path / "out.mp4"), clip)
    assert "language pt-BR dropped (mp4 knows three letters alone)" in report.summary


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_sound_that_an_edit_list_leaves_out_stays_out_without_a_word(tmp_path: Path, suffix: str) -> None:
    clip = trimmed(tmp_path / "in.mp4")
    report = annotated(VideoSink(tmp_path / f"out{suffix}"), clip)
    assert not report.problems
    sound = payloads(tmp_path / f"out{suffix}", "audio")
    packet = Fraction(1024, 48_000)
    assert -2 * packet < sound[0][0] <= 0  # no more than what the first one heard needs
    assert sound[-1][0] < Fraction(4, 5)
    heard = [data for at, data in payloads(clip, "audio") if at > 0]
    assert [data for _, data in sound][-len(heard) :] == heard


def trimmed(path: Path) -> Path:
    """A clip of 1.2 s of which FFmpeg's own muxer leaves out the first 0.4 s: they lie before 0."""
    plain = path.with_name("plain.mp4")
    write_clip(plain, frames=30, seconds_of_audio=1.2, options={"g": "5"})
    with av.open(str(plain)) as source, av.open(str(path), "w") as output:
        copies = [output.add_stream_from_template(s) for s in source.streams]
        for packet in (p for p in source.demux() if p.size and not p.is_discard):
            moved = round(Fraction(2, 5) / packet.time_base)
            packet.pts, packet.dts = packet.pts - moved, packet.dts - moved
            packet.stream = copies[packet.stream_index]
            output.mux(packet)
    return path
