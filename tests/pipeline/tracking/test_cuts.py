"""Cuts between scenes are found, and nothing else is taken for one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import permutations
from pathlib import Path

import cv2
import numpy as np
import pytest

from assets.make_demo_video import SHOTS, VIDEO
from pipeline.frame import Frame, Image
from pipeline.tracking.base import LOST
from pipeline.tracking.cuts import CutDetector, Scenes
from tests.pipeline.tracking.tracker_inputs import frame_at
from tests.source_tree import ROOT

DATA = ROOT.parent / "shared" / "data"
CLIPS = ("clips/people_one_by_one.mp4", "clips/cars.mp4", "clips/webcam_signing.mkv")
SEQUENCES = ("davis/breakdance/frames", "davis/car-shadow/frames", "davis/dog/frames")


def pictures(path: Path) -> Iterator[Image]:
    if path.is_dir():
        yield from (cv2.imread(str(file)) for file in sorted(path.iterdir()))
        return
    video = cv2.VideoCapture(str(path))
    try:
        while (read := video.read())[0]:
            yield read[1]
    finally:
        video.release()


def cuts(images: Iterable[Image]) -> list[int]:
    """The frames, counted from 0, that a new scene begins with."""
    begins = CutDetector()
    return [i for i, image in enumerate(images) if begins(image)]


def shared(name: str) -> Path:
    if not (DATA / name).exists():
        pytest.skip(f"needs {name} in ../shared/data")
    return DATA / name


@pytest.mark.slow
@pytest.mark.parametrize("name", [*CLIPS, *SEQUENCES])
def test_nothing_within_a_clip_is_taken_for_a_cut_even_where_frames_are_dropped(name: str):
    every, every_other = CutDetector(), CutDetector()
    for i, image in enumerate(pictures(shared(name))):
        assert not every(image), i
        assert i % 2 or not every_other(image), i
    assert i >= 39


def test_the_shots_of_the_demo_are_told_apart():
    first_frames = np.cumsum([shot.frames for shot in SHOTS])[:-1].tolist()
    assert len(first_frames) == 7
    assert cuts(pictures(VIDEO)) == first_frames


def test_clips_that_are_joined_are_told_apart_whatever_follows_what():
    clips = [
        [image for image, _ in zip(pictures(shared(n)), range(3), strict=False)] for n in (*CLIPS, *SEQUENCES)
    ]
    for one, other in permutations(clips, 2):
        size = one[0].shape[1::-1]
        assert cuts([*one, *(cv2.resize(image, size) for image in other)]) == [len(one)]


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (2000, 3000)])
def test_pictures_of_any_size_are_looked_at_and_left_as_they_are(size: tuple[int, int]):
    begins = CutDetector()
    dark, light = (np.full((*size, 3), grey, np.uint8) for grey in (10, 240))
    assert [begins(image) for image in (dark, dark, light, light, dark)] == [False, False, True, False, True]
    assert (dark == 10).all()


def test_a_picture_of_another_size_is_no_cut_by_itself():
    begins = CutDetector()
    assert not any(begins(np.full((h, 40, 3), 90, np.uint8)) for h in (20, 30, 20))


def later(seconds: float, grey: int = 90, size: tuple[int, int] = (120, 200)) -> Frame:
    frame = frame_at(0, grey=grey, size=size)
    return Frame(frame.image, 0, round(seconds * 1000), Fraction(1, 1000), 0.0)


@pytest.mark.parametrize(
    ("then", "ended"),
    [
        (later(5.04), False),
        (later(5.0), False),
        (later(5.0 + LOST), False),
        (later(5.01 + LOST), True),
        (later(4.96), False),
        (later(5.0 - LOST), False),
        (later(4.99 - LOST), True),
        (later(0), True),
        (later(5.04, grey=220), True),
        (later(5.04, size=(121, 200)), True),
    ],
)
def test_a_scene_ends_at_a_cut_a_leap_in_time_or_another_size(then: Frame, ended: bool):
    scenes = Scenes()
    assert not scenes.ended(later(5.0))
    assert scenes.ended(then) == ended
    assert not scenes.ended(then)
