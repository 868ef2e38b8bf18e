"""Files that are no videos, or no longer: refused in one line, or read as far as they go."""

from __future__ import annotations

import contextlib
import os
import random
from fractions import Fraction
from pathlib import Path

import av
import pytest
from PIL import Image

from model.errors import SourceError
from pipeline.sources import ffmpeg
from pipeline.sources.video import open_video
from tests.clips import write_clip
from tests.pipeline.sources.reading import read_video

FAST_START = {"container_options": {"movflags": "+faststart"}}


def refusal(path) -> str:
    """What is said of a file that cannot be opened: one line that begins with its name."""
    with pytest.raises(SourceError) as caught:
        open_video(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert refusal(tmp_path / "none.mp4") == "no such file"


def test_a_folder_is_refused(tmp_path):
    assert refusal(tmp_path) == "a folder; expected a video file"


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("named pipes are POSIX")
    os.mkfifo(tmp_path / "pipe.mp4")

    assert refusal(tmp_path / "pipe.mp4") == "not a regular file; expected a video file"


@pytest.mark.parametrize("name", ["a" * 300 + ".mp4", "nul\0.mp4"])
def test_a_name_that_no_file_can_have_is_refused(tmp_path, name):
    assert refusal(tmp_path / name).startswith("cannot be read: ")


def test_a_file_that_may_not_be_read_is_refused(tmp_path):
    path = tmp_path / "a.mp4"
    write_clip(path)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")

    assert refusal(path) == "cannot be read: permission denied"


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux's /proc")
def test_a_file_whose_bytes_cannot_be_read_is_refused():
    assert refusal(Path("/proc/self/mem")) == "cannot be read: input/output error"


def test_an_animated_webp_is_refused_by_what_it_is(tmp_path):
    first, *others = [Image.new("RGB", (64, 48), (grey, grey, grey)) for grey in (0, 120, 240)]
    first.save(tmp_path / "a.webp", save_all=True, append_images=others)

    assert refusal(tmp_path / "a.webp").startswith("an animated WebP, which cannot be decoded here; convert")


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "a.mp4").touch()

    assert refusal(tmp_path / "a.mp4") == "an empty file; expected a video"


@pytest.mark.parametrize(
    "content",
    [
        b"just a text\n" * 50,
        bytes(100_000),
        random.Random(7).randbytes(100_000),
        b"\0\0\0\x18ftypisom",
        b"RIFF",
    ],
    ids=["text", "zeros", "noise", "only a beginning", "four letters"],
)
def test_what_is_no_video_is_refused(tmp_path, content):
    (tmp_path / "a.mp4").write_bytes(content)

    assert "video" in refusal(tmp_path / "a.mp4")


def test_sound_alone_is_refused(tmp_path):
    both, path = tmp_path / "both.mkv", tmp_path / "sound.mp4"
    write_clip(both, seconds_of_audio=0.2)
    with av.open(str(both)) as source, av.open(str(path), "w") as output:
        sound = output.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = sound
                output.mux(packet)

    assert refusal(path) == "expected a video stream, found none"


def test_a_video_of_no_frames_is_refused(tmp_path):
    path = tmp_path / "a.mp4"
    write_clip(path, container_options={"movflags": "+frag_keyframe+empty_moov"})
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"moof") - 4])

    assert refusal(path) == "nothing of the video can be decoded: it holds no frames"


def test_a_picture_that_would_fill_the_memory_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    write_clip(tmp_path / "a.mp4", size=(128, 96), frames=1)
    monkeypatch.setattr(ffmpeg, "MAX_PIXELS", 128 * 95)

    with pytest.raises(SourceError):
        open_video(tmp_path / "a.mp4")


def test_pictures_that_grow_beyond_the_limit_later_on_are_left_out(tmp_path, monkeypatch):
    small, large = tmp_path / "small.ts", tmp_path / "large.ts"
    write_clip(small, frames=100)
    write_clip(large, size=(128, 96), times=[(100 + n) * 512 for n in range(4)])
    path = tmp_path / "joined.ts"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    monkeypatch.setattr(ffmpeg, "MAX_PIXELS", 128 * 95)

    reading = read_video(path)

    assert reading.numbers == list(range(100))
    assert any("damaged packet(s) were skipped" in warning for warning in reading.warnings)


def test_a_header_that_claims_an_enormous_picture_is_refused_by_its_size(tmp_path):
    path = tmp_path / "a.y4m"
    path.write_bytes(b"YUV4MPEG2 W60000 H50000 F25:1 C420\nFRAME\n" + bytes(1000))

    assert "video" in refusal(path) or "too large" in refusal(path)


def test_a_codec_that_nobody_knows_is_refused_by_what_it_is(tmp_path):
    path = tmp_path / "a.avi"
    write_clip(path, codec="mpeg4", time_base=Fraction(1, 25))
    path.write_bytes(path.read_bytes().replace(b"FMP4", b"ZZZZ"))

    assert refusal(path) == "the video is in a codec that cannot be decoded here; convert it to H.264"


BROKEN_OFF = {
    "index_first.mp4": FAST_START,
    "with_sound.mp4": {**FAST_START, "seconds_of_audio": 2},
    "fragmented.mp4": {
        "container_options": {"movflags": "+frag_keyframe+empty_moov"},
        "options": {"g": "10"},
    },
    "a.mkv": {},
    "b_frames.mkv": {"options": {"preset": "veryfast", "bf": "2"}},
    "a.webm": {"codec": "libvpx-vp9"},
    "a.avi": {"codec": "mpeg4", "time_base": Fraction(1, 25)},
    "a.flv": {"codec": "flv"},
}


@pytest.mark.parametrize("name", BROKEN_OFF)
def test_a_file_that_breaks_off_gives_the_frames_that_are_there_and_says_so(tmp_path, name):
    path = tmp_path / name
    write_clip(path, frames=50, **BROKEN_OFF[name])
    assert not read_video(path).warnings
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])

    reading = read_video(path)

    assert 15 <= len(reading.frames) < 45
    assert reading.numbers == list(range(len(reading.frames)))
    assert any(warning.startswith("the file breaks off: ") for warning in reading.warnings)


def test_a_file_without_its_index_at_the_end_is_refused(tmp_path):
    path = tmp_path / "a.mp4"
    write_clip(path, frames=50)
    path.write_bytes(path.read_bytes()[:-500])

    assert "damaged or missing" in refusal(path)


def test_damage_in_the_middle_costs_some_frames_and_is_told_once(tmp_path):
    path = tmp_path / "a.avi"
    write_clip(path, frames=40, codec="mjpeg", pixel_format="yuvj420p", time_base=Fraction(1, 25))
    content = bytearray(path.read_bytes())
    for start in (len(content) // 3, len(content) // 2):
        content[start : start + 2500] = bytes(2500)
    path.write_bytes(content)

    reading = read_video(path)

    assert 20 <= len(reading.frames) <= 40
    assert len(set(reading.warnings)) == len(reading.warnings)
    assert reading.stamps == sorted(set(reading.stamps))


def test_a_stream_of_pictures_without_stamps_is_given_some(tmp_path):
    path = tmp_path / "a.h264"
    write_clip(path, frames=10, container="h264")

    reading = read_video(path)

    assert reading.numbers == list(range(10))
    assert reading.times == [Fraction(number, 25) for number in range(10)]
    assert reading.warnings == (
        "its frames have no times; taken for 25 a second (--frame-rate says otherwise)",
    )


def test_recordings_joined_without_care_go_on_in_time(tmp_path):
    part = tmp_path / "part.ts"
    write_clip(part, frames=40)
    path = tmp_path / "joined.ts"
    path.write_bytes(part.read_bytes() * 2)

    reading = read_video(path)

    assert reading.numbers == [*range(40)] * 2
    assert reading.times == sorted(set(reading.times))
    assert reading.times[-1] < 4


def test_mutated_files_end_in_frames_or_are_refused(tmp_path):
    """A few in this process; the many, each in a process of its own, are the program's own test."""
    path = tmp_path / "a.mp4"
    write_clip(path, frames=10, **FAST_START)
    whole = path.read_bytes()
    chance = random.Random(3)
    opened = 0
    for _ in range(40):
        content = bytearray(whole)
        for _ in range(chance.choice([1, 8, 64])):
            content[chance.randrange(len(content))] = chance.randrange(256)
        path.write_bytes(content)
        with contextlib.suppress(SourceError):
            reading = read_video(path)
            opened += 1
            assert reading.stamps == sorted(set(reading.stamps))
    assert opened > 5


def test_a_file_that_begins_late_and_breaks_off_tells_what_is_there_of_it(tmp_path):
    path = tmp_path / "late.mkv"
    write_clip(path, times=[60_000_000 + 40 * n for n in range(100)], time_base=Fraction(1, 1000))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    reading = read_video(path)

    there = float(reading.times[-1] - reading.times[0]) + 0.04
    (warning,) = [warning for warning in reading.warnings if "breaks off" in warning]
    assert warning == f"the file breaks off: {there:.2f} of 4.00 seconds of it are there"
