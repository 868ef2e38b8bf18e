"""What is saved while somebody watches."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.live.files.outputs import OutputNames, saved_picture, stem_of
from pipeline.sources.base import SourceInfo
from tests.pipeline.sinks.recordings import two_cats


@pytest.mark.parametrize(
    ("aspect", "size"), [(Fraction(1), (8, 6)), (Fraction(64, 45), (11, 6)), (Fraction(1, 2), (8, 12))]
)
def test_a_snapshot_has_square_pixels(tmp_path: Path, aspect: Fraction, size: tuple[int, int]) -> None:
    result = replace(two_cats(), annotated=np.full((6, 8, 3), 90, np.uint8))
    saved = saved_picture(tmp_path / "a.png", result, aspect)
    picture = cv2.imread(str(tmp_path / "a.png"))
    assert picture is not None
    assert picture.shape[1::-1] == size
    assert (picture == 90).all()
    assert saved.summary == f"{size[0]} x {size[1]} pixels"


def info(name: str, path: str | None = None) -> SourceInfo:
    return SourceInfo(name, False, 8, 6, path=Path(path) if path else None)


@pytest.mark.parametrize(
    ("source", "stem"),
    [
        (info("clips/My clip.v2.mp4", "clips/My clip.v2.mp4"), "My_clip.v2"),
        (info("Logitech HD Pro v2.0"), "Logitech_HD_Pro_v2.0"),
        (info("camera 0"), "camera_0"),
        (info("rtsp://***@camera.lan:554/live/main"), "main"),
        (info("rtsp://***@camera.lan:554"), "camera"),
        (info("https://camera.lan/a/video.mp4?token=***"), "video"),
        (info("photos/trip (5 images)"), "trip_5_images"),
        (info("///"), "livemask"),
        (info("x" * 500), "x" * 60),
        (None, "livemask"),
    ],
)
def test_a_file_is_called_after_its_source(source: SourceInfo | None, stem: str) -> None:
    assert stem_of(source) == stem


def test_the_name_tells_the_time_and_files_that_belong_together_share_it(tmp_path: Path) -> None:
    video, lines = OutputNames().new(tmp_path, "clip", (".mp4", ".jsonl"))
    assert re.fullmatch(r"clip_\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", video.stem)
    assert (video.stem, video.suffix, lines.suffix) == (lines.stem, ".mp4", ".jsonl")


def test_no_name_is_given_twice_nor_is_that_of_a_file_which_is_there(tmp_path: Path) -> None:
    names = OutputNames()
    given = []
    for _ in range(20):
        (path,) = names.new(tmp_path, "clip", (".mp4",))
        path.touch()
        given.append(path)
        given.extend(names.new(tmp_path, "clip", (".mp4", ".jsonl")))  # not written yet
    assert len(set(given)) == len(given) == 60
    (again,) = OutputNames().new(tmp_path, "clip", (".mp4",))
    assert again not in given or not again.exists()
