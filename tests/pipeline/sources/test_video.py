"""Video files: every frame, in order, with its own stamp, whatever the container and the codec."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from model.errors import SourceError
from pipeline.sources.video import open_video
from tests.clips import Colour, write_clip
from tests.pipeline.sources.reading import read_video

CLIPS = Path(__file__).resolve().parents[4] / "shared" / "data" / "clips"
B_FRAMES = {"preset": "veryfast", "bf": "2"}

# name -> what to write
KINDS: dict[str, dict[str, object]] = {
    "h264.mp4": {},
    "b_frames.mp4": {"options": B_FRAMES},
    "b_frames.mkv": {"options": B_FRAMES},
    "fragmented.mp4": {"container_options": {"movflags": "+frag_keyframe+empty_moov"}},
    "with_sound.mov": {"seconds_of_audio": 0.4},
    "hevc.mp4": {"codec": "libx265"},
    "hevc_10_bit.mp4": {"codec": "libx265", "pixel_format": "yuv420p10le"},
    "h264_10_bit.mp4": {"pixel_format": "yuv420p10le"},
    "prores.mov": {"codec": "prores_ks", "pixel_format": "yuv422p10le"},
    "vp9.webm": {"codec": "libvpx-vp9"},
    "mpeg2.ts": {"codec": "mpeg2video", "time_base": Fraction(1, 25)},
    "mpeg2_program.mpg": {"codec": "mpeg2video", "time_base": Fraction(1, 25)},
    "mpeg4.avi": {"codec": "mpeg4", "time_base": Fraction(1, 25)},
    "b_frames.avi": {"codec": "mpeg4", "time_base": Fraction(1, 25), "options": {"bf": "2"}},
    "motion_jpeg.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p", "time_base": Fraction(1, 25)},
    "flash.flv": {"codec": "flv"},
    "grey.mkv": {"codec": "ffv1", "pixel_format": "gray"},
    "transparent.mkv": {"codec": "ffv1", "pixel_format": "yuva420p"},
    "rgb.mkv": {"codec": "libx264rgb", "pixel_format": "bgr24", "colour": Colour(tagged=False)},
    "animation.gif": {"codec": "gif", "pixel_format": "rgb8", "time_base": Fraction(1, 100)},
}


@pytest.mark.parametrize("name", KINDS)
def test_every_frame_of_every_kind_comes_once_and_in_order(tmp_path, name):
    write_clip(tmp_path / name, frames=12, **KINDS[name])

    reading = read_video(tmp_path / name)

    assert reading.numbers == list(range(12))
    assert [frame.index for frame in reading.frames] == list(range(12))
    assert np.diff([float(time) for time in reading.times]) == pytest.approx(1 / 25, abs=1e-3)
    assert reading.warnings == ()
    assert all(image.flags.c_contiguous for image in reading.images)


@pytest.mark.parametrize("size", [(65, 49), (66, 49), (65, 48), (2, 2), (1, 1), (200, 8)])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p", "yuv420p10le"])
def test_odd_and_tiny_pictures_are_whole_to_their_last_row_and_column(tmp_path, size, pixel_format):
    path = tmp_path / "a.mkv"
    grey = [60, 110, 170]
    write_clip(
        path,
        size=size,
        frames=3,
        codec="ffv1",
        pixel_format=pixel_format,
        picture=lambda number, width, height: np.full((height, width, 3), grey[number], np.uint8),
    )

    reading = read_video(path)

    assert (reading.info.width, reading.info.height) == size
    for image, level in zip(reading.images, grey, strict=True):
        assert image.shape == (size[1], size[0], 3)
        assert np.abs(image.astype(int) - level).max() <= 3


def test_a_variable_frame_rate_stays_exactly_as_it_is(tmp_path):
    times = [0, 100, 101, 5_000, 5_001, 90_000]
    write_clip(tmp_path / "a.mp4", times=times, time_base=Fraction(1, 90_000))

    reading = read_video(tmp_path / "a.mp4")

    assert reading.times == [Fraction(time, 90_000) for time in times]


def test_frames_are_the_same_with_any_number_of_decoding_threads(tmp_path):
    write_clip(tmp_path / "a.mp4", frames=20, options=B_FRAMES)

    one, many = (read_video(tmp_path / "a.mp4", threads=threads) for threads in (1, 4))

    assert one.stamps == many.stamps
    assert all(np.array_equal(a, b) for a, b in zip(one.images, many.images, strict=True))


def test_what_is_known_of_a_file(tmp_path):
    path = tmp_path / "a.mp4"
    write_clip(path, frames=10, size=(80, 48), rate=Fraction(12), time_base=Fraction(1, 12_000))

    info = read_video(path).info

    assert (info.name, info.path, info.live) == (str(path), path, False)
    assert (info.width, info.height, info.frame_count) == (80, 48, 10)
    assert info.frame_rate == Fraction(12)
    assert info.duration == Fraction(10, 12)


AVI: dict[str, dict[str, object]] = {
    "h264": {"options": {"preset": "veryfast", "bf": "3", "x264-params": "b-adapt=0"}},
    "h264 in pyramids": {"options": {"preset": "veryfast", "bf": "5", "x264-params": "b-pyramid=normal"}},
    "mpeg4": {"codec": "mpeg4", "options": {"bf": "2"}},
    "mpeg2video": {"codec": "mpeg2video", "options": {"bf": "2"}},
    "without b": {"options": {"bf": "0"}},
}


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("kind", AVI)
def test_frames_of_an_avi_are_shown_evenly_from_0_whatever_their_order_of_decoding(tmp_path, kind, threads):
    path = tmp_path / "a.avi"
    write_clip(path, frames=30, time_base=Fraction(1, 25), **AVI[kind])

    reading = read_video(path, threads=threads)

    assert reading.times == [Fraction(number, 25) for number in range(30)]
    assert reading.numbers == list(range(30))
    assert reading.warnings == ()


@pytest.mark.parametrize("kind", AVI)
def test_a_seek_in_an_avi_does_not_decode_from_its_start(tmp_path, kind):
    path = tmp_path / "a.avi"
    options = {"g": "10"} | dict(AVI[kind].get("options", {}))
    write_clip(path, frames=100, time_base=Fraction(1, 25), **(AVI[kind] | {"options": options}))
    expected = read_video(path)

    with closing(open_video(path, threads=2)) as source:
        rewinds = []
        source._file.rewind = lambda: rewinds.append(1)
        for number in (90, 40, 61):
            source.seek(Fraction(number, 25))
            found = [source.read() for _ in range(3)]
            assert [frame.pts for frame in found] == [number, number + 1, number + 2]
            for frame, same in zip(found, expected.images[number:], strict=False):
                assert np.array_equal(frame.image, same)
        assert not rewinds


@pytest.mark.parametrize("late", [2, 3, 4, 5])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_pause_near_the_end_counts_in_how_long_a_video_lasts(tmp_path, suffix, late):
    steady = [40 * number for number in range(50)]
    paused = [*steady, *(steady[-1] + 60_000 + 40 * number for number in range(1, late + 1))]
    path = tmp_path / f"a{suffix}"
    write_clip(path, times=paused, time_base=Fraction(1, 1000), options=B_FRAMES)

    reading = read_video(path)

    assert reading.info.duration == Fraction(paused[-1] + 40, 1000)
    assert reading.stamps[0] == 0
    assert reading.numbers == list(range(50 + late))
    assert reading.warnings == ()


def test_a_wrong_frame_count_in_the_header_changes_nothing(tmp_path):
    path = tmp_path / "a.avi"
    write_clip(path, frames=10, codec="mpeg4", time_base=Fraction(1, 25))
    content = bytearray(path.read_bytes())
    for chunk, offset in ((b"avih", 24), (b"strh", 40)):  # where each keeps its number of frames
        at = content.index(chunk) + len(chunk) + 4 + offset - 8
        content[at : at + 4] = (3).to_bytes(4, "little")
    path.write_bytes(content)

    assert len(read_video(path).frames) == 10


def test_the_default_video_stream_is_taken_and_a_cover_picture_never(tmp_path):
    cover, video = tmp_path / "cover.mkv", tmp_path / "video.mkv"
    write_clip(cover, frames=1, size=(640, 480), codec="mjpeg", pixel_format="yuvj420p")
    write_clip(video, frames=5, size=(64, 48))
    path = tmp_path / "both.mp4"
    joined(path, {cover: av.stream.Disposition.attached_pic, video: av.stream.Disposition.default})

    reading = read_video(path)

    assert (reading.info.width, reading.info.height) == (64, 48)
    assert reading.numbers == list(range(5))


def test_a_file_with_nothing_but_a_cover_picture_is_refused(tmp_path):
    cover = tmp_path / "cover.mkv"
    write_clip(cover, frames=1, codec="mjpeg", pixel_format="yuvj420p")
    joined(tmp_path / "song.mp4", {cover: av.stream.Disposition.attached_pic})

    with pytest.raises(SourceError, match=r"song\.mp4: expected a video stream, found only a cover picture"):
        open_video(tmp_path / "song.mp4")


def test_the_largest_of_several_streams_is_taken_where_none_is_the_default(tmp_path):
    small, large = tmp_path / "small.mkv", tmp_path / "large.mkv"
    write_clip(small, frames=3, size=(32, 32))
    write_clip(large, frames=3, size=(64, 48))
    joined(tmp_path / "both.mkv", {small: av.stream.Disposition(0), large: av.stream.Disposition(0)})

    assert read_video(tmp_path / "both.mkv").info.width == 64


def test_pictures_of_another_size_later_on_are_fitted_into_the_first_ones(tmp_path):
    first, second = tmp_path / "a.ts", tmp_path / "b.ts"
    write_clip(first, frames=5, size=(64, 48))
    write_clip(second, frames=5, size=(128, 96), times=[(5 + n) * 512 for n in range(5)])
    path = tmp_path / "joined.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())

    reading = read_video(path)

    assert {image.shape for image in reading.images} == {(48, 64, 3)}
    assert reading.numbers == [0, 1, 2, 3, 4] * 2
    assert "the picture size changed; 5 frame(s) were fitted into the first one's" in reading.warnings


@pytest.mark.parametrize(
    ("name", "size", "frames"),
    [
        ("people_one_by_one.mp4", (768, 432), 1394),
        ("cars.mp4", (768, 432), 377),
        ("webcam_signing.mkv", (640, 480), 109),
    ],
)
def test_real_clips_give_the_frames_and_stamps_of_their_packets(name, size, frames):
    if not (CLIPS / name).exists():
        pytest.skip(f"needs the clip {name} in ../shared/data/clips")
    with av.open(str(CLIPS / name)) as container:
        stamps = sorted(packet.pts for packet in container.demux(video=0) if packet.pts is not None)

    reading = read_video(CLIPS / name)

    assert reading.stamps == stamps
    assert len(stamps) == frames
    assert (reading.info.width, reading.info.height) == size
    assert reading.warnings == ()


def joined(path: Path, parts: dict[Path, av.stream.Disposition]) -> None:
    """One file with the video streams of several, each with a disposition."""
    with av.open(str(path), "w") as output:
        inputs = [av.open(str(part)) for part in parts]
        streams = [output.add_stream_from_template(source.streams.video[0]) for source in inputs]
        for stream, disposition in zip(streams, parts.values(), strict=True):
            stream.disposition = disposition
        for source, stream in zip(inputs, streams, strict=True):
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    output.mux(packet)
            source.close()
