"""Seeking: the frame that is shown at a time, the same to the last bit as in a reading from the start."""

from __future__ import annotations

import random
from bisect import bisect_right
from contextlib import closing
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from time import sleep

import cv2
import numpy as np
import pytest

from pipeline.sources.base import Seekable
from pipeline.sources.cameras.camera import start_camera
from pipeline.sources.cameras.capture import CameraSettings
from pipeline.sources.sequence import open_images
from pipeline.sources.video import open_video
from tests.clips import write_clip
from tests.pipeline.sources.reading import Reading, read_video
from tests.pipeline.sources.test_video import CLIPS

FRAMES = 60
GROUPS = {"g": "12"}  # a key frame every 12 frames
B_FRAMES = GROUPS | {"preset": "veryfast", "bf": "3"}
OPEN = B_FRAMES | {"x264-params": "open-gop=1"}
OPEN_HEVC = {"x265-params": "log-level=none:pools=1:open-gop=1:keyint=12:min-keyint=12:bframes=3"}
SLOW_BASE = Fraction(1, 25)
LATE = [512 * (1000 + number) for number in range(FRAMES)]
UNEVEN = sorted(random.Random(1).sample(range(5_000), FRAMES))

# name -> what to write
KINDS: dict[str, dict[str, object]] = {
    "h264.mp4": {"options": GROUPS},
    "b_frames.mp4": {"options": B_FRAMES},
    "b_frames.mkv": {"options": B_FRAMES},
    "b_frames.ts": {"options": B_FRAMES},
    "open_groups.mp4": {"options": OPEN},
    "open_groups.ts": {"options": OPEN},
    "open_groups_hevc.mp4": {"codec": "libx265", "options": {"preset": "ultrafast"} | OPEN_HEVC},
    "refreshed_in_strips.mp4": {"options": B_FRAMES | {"bf": "0", "x264-params": "intra-refresh=1"}},
    "fragmented.mp4": {
        "options": B_FRAMES,
        "seconds_of_audio": 2.4,
        "container_options": {"movflags": "+frag_keyframe+empty_moov"},
    },
    "one_key_frame.mp4": {"options": {"g": "1000"}},
    "uneven.mp4": {"times": UNEVEN, "time_base": Fraction(1, 1000), "options": B_FRAMES},
    "uneven.mkv": {"times": UNEVEN, "time_base": Fraction(1, 1000), "options": B_FRAMES},
    "late.mp4": {"times": LATE, "options": B_FRAMES},
    "late.mkv": {"times": LATE, "options": B_FRAMES},
    "late.ts": {"times": LATE, "options": B_FRAMES},
    "turned.mp4": {"rotation": 90, "options": B_FRAMES},
    "interlaced.mp4": {"interlaced": True, "options": B_FRAMES},
    "interlaced.ts": {"interlaced": True, "codec": "mpeg2video", "time_base": SLOW_BASE, "options": GROUPS},
    "vp9.webm": {"codec": "libvpx-vp9", "options": GROUPS},
    "mpeg4.avi": {"codec": "mpeg4", "time_base": SLOW_BASE, "options": GROUPS | {"bf": "2"}},
    "mpeg4.ts": {"codec": "mpeg4", "time_base": SLOW_BASE, "options": GROUPS | {"bf": "2"}},
    "h264_without_stamps.avi": {"time_base": SLOW_BASE, "options": B_FRAMES},
    "motion_jpeg.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p", "time_base": SLOW_BASE},
    "flash.flv": {"codec": "flv", "options": GROUPS},
    "raw.h264": {"options": B_FRAMES},
    "animation.gif": {"codec": "gif", "pixel_format": "rgb8", "time_base": Fraction(1, 100)},
}


def written(folder: Path, name: str, kind: dict[str, object]) -> Path:
    write_clip(folder / name, **({"frames": FRAMES} | kind))
    return folder / name


def moments(times: list[Fraction]) -> list[Fraction]:
    """Times to seek to: of frames, just before and between them, out of the file at both ends; shuffled."""
    edges = [times[n] for n in (0, 1, 2, 11, 12, 13, 24, len(times) - 2, len(times) - 1)]
    just_before = [time - Fraction(1, 10**7) for time in edges]
    between = [(a + b) / 2 for a, b in list(pairwise(times))[::7]]
    chosen = [*edges, *just_before, *between, times[0] - 100, times[-1] + 100]
    random.Random(2).shuffle(chosen)
    return chosen


def wrong_seeks(source: Seekable, expected: Reading, times: list[Fraction], following: int) -> list[float]:
    """The times at which a seek gives other frames than those of the reading."""
    return [float(time) for time in times if not _seeks_right(source, expected, time, following)]


def _seeks_right(source: Seekable, expected: Reading, time: Fraction, following: int) -> bool:
    at = max(bisect_right(expected.times, time) - 1, 0)
    source.seek(time)
    for frame in expected.frames[at : at + following]:
        found = source.read()
        if found is None or found.pts != frame.pts or not np.array_equal(found.image, frame.image):
            return False
    return True


@pytest.mark.parametrize("name", KINDS)
def test_a_seek_gives_the_frames_of_a_reading_from_the_start(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, name, KINDS[name])
    expected = read_video(path)
    assert len(expected.frames) == FRAMES

    with closing(open_video(path, threads=2)) as source:
        assert wrong_seeks(source, expected, moments(expected.times), following=4) == []
        if not expected.warnings:
            assert source.warnings == ()


@pytest.mark.parametrize("name", ["cars.mp4", "webcam_signing.mkv"])
def test_a_seek_in_a_real_clip_gives_the_frames_of_a_reading_from_the_start(name: str) -> None:
    if not (CLIPS / name).exists():
        pytest.skip(f"needs the clip {name} in ../shared/data/clips")
    expected = read_video(CLIPS / name)

    with closing(open_video(CLIPS / name, threads=2)) as source:
        assert wrong_seeks(source, expected, moments(expected.times)[::2], following=2) == []


def test_after_a_seek_the_reading_goes_on_to_the_end(tmp_path: Path) -> None:
    path = written(tmp_path, "a.mp4", {"options": B_FRAMES})
    stamps = read_video(path).stamps

    with closing(open_video(path)) as source:
        source.seek(Fraction(30, 25))
        assert [frame.pts for frame in iter(source.read, None)] == stamps[30:]
        assert source.read() is None
        source.seek(Fraction(0))
        assert [frame.pts for frame in iter(source.read, None)] == stamps


def test_recordings_joined_together_are_sought_in_the_time_that_goes_on(tmp_path: Path) -> None:
    parts = [written(tmp_path, f"{n}.ts", {"frames": 40, "options": B_FRAMES}) for n in (1, 2)]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    expected = read_video(path)
    assert expected.numbers == [*range(40), *range(40)]

    with closing(open_video(path)) as source:
        assert len(list(iter(source.read, None))) == 80  # by now it is known that the stamps begin anew
        assert wrong_seeks(source, expected, moments(expected.times), following=2) == []


def test_a_file_that_breaks_off_can_be_sought_in_up_to_there(tmp_path: Path) -> None:
    path = written(tmp_path, "a.mkv", {"options": B_FRAMES})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    expected = read_video(path)
    assert 10 < len(expected.frames) < FRAMES

    with closing(open_video(path)) as source:
        times = [*expected.times[::5], expected.times[-1] + 100]
        assert wrong_seeks(source, expected, times, following=2) == []
        assert any("breaks off" in warning for warning in source.warnings)


def test_a_file_that_loses_its_name_while_it_is_open_can_still_be_sought_in(tmp_path: Path) -> None:
    path = written(tmp_path, "a.mp4", {"options": B_FRAMES})
    expected = read_video(path)

    with closing(open_video(path)) as source:
        try:
            path.unlink()
        except PermissionError:
            pytest.skip("this system keeps the names of open files")
        assert wrong_seeks(source, expected, [Fraction(0), Fraction(1), Fraction(0)], following=2) == []


def test_indices_go_on_counting_over_seeks(tmp_path: Path) -> None:
    path = written(tmp_path, "a.mp4", {"options": B_FRAMES})

    with closing(open_video(path)) as source:
        indices = []
        for seconds in (2, 0, 1):
            source.seek(Fraction(seconds))
            indices += [source.read().index, source.read().index]
    assert indices == sorted(set(indices))


def test_a_seek_that_is_interrupted_or_comes_after_the_end_of_all_gives_nothing(tmp_path: Path) -> None:
    source = open_video(written(tmp_path, "a.mp4", {"options": B_FRAMES}))
    source.seek(Fraction(1))
    source.interrupt()
    assert source.read() is None
    source.close()
    source.seek(Fraction(1))
    assert source.read() is None


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    for number, path in enumerate(paths):
        assert cv2.imwrite(str(path), np.full((6, 10, 3), 40 * number, np.uint8))
    return paths


def test_images_are_sought_by_the_time_at_which_they_are_shown(images: list[Path]) -> None:
    source = open_images(images, Fraction(10))
    found = []
    for seconds in ("0.3", "0.29", "-1", "0", "0.2", "7"):
        source.seek(Fraction(seconds))
        frame = source.read()
        assert frame.image[0, 0, 0] == 40 * frame.pts
        found.append((frame.name, frame.pts))
    assert found == [(f"{n}.png", n) for n in (3, 2, 0, 0, 2, 4)]
    assert source.read() is None


def test_after_a_seek_images_go_on_in_their_order_and_count_upward(images: list[Path]) -> None:
    source = open_images(images, Fraction(10))
    assert len(list(iter(source.read, None))) == 5
    source.seek(Fraction(3, 10))
    assert [(frame.index, frame.pts) for frame in iter(source.read, None)] == [(5, 3), (6, 4)]


def test_files_can_be_sought_in_and_cameras_cannot(tmp_path: Path, images: list[Path]) -> None:
    class Webcam:
        def grab(self) -> bool:
            sleep(0.002)
            return True

        def retrieve(self) -> tuple[bool, np.ndarray]:
            return True, np.zeros((6, 10, 3), np.uint8)

        def get(self, prop: int) -> float:
            return 0.0

        def release(self) -> None:
            pass

    video = open_video(written(tmp_path, "a.mp4", {"frames": 3}))
    camera = start_camera("desk", Webcam, CameraSettings())
    with closing(video), closing(camera), closing(open_images(images)) as sequence:
        assert isinstance(video, Seekable)
        assert isinstance(sequence, Seekable)
        assert not isinstance(camera, Seekable)
