"""Edges that a container says are not to be seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.frame import Image
from pipeline.sources.picture.cropping import Crop
from tests.pipeline.sources.picture.entries import matroska_with, mp4_with
from tests.pipeline.sources.reading import read_video

SIZE = (64, 48)
CROP = Crop(left=8, top=6, right=10, bottom=4)


def framed(number: int, width: int, height: int) -> Image:
    """White within the edges that are to be taken off, black in them."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[CROP.top : height - CROP.bottom, CROP.left : width - CROP.right] = 235
    return picture


def cropped_matroska(path: Path) -> None:
    """Written with PixelCrop."""
    sides = ((0x54CC, CROP.left), (0x54BB, CROP.top), (0x54DD, CROP.right), (0x54AA, CROP.bottom))
    told = b"".join(id_.to_bytes(2) + b"\x81" + bytes([value]) for id_, value in sides)
    matroska_with(path, told, size=SIZE, frames=2, picture=framed)


def cropped_mp4(path: Path) -> None:
    """With a clean aperture in the sample entry."""
    width, height = SIZE[0] - CROP.left - CROP.right, SIZE[1] - CROP.top - CROP.bottom
    # twice the distances of the middles, over 2
    numbers = (width, 1, height, 1, CROP.left - CROP.right, 2, CROP.top - CROP.bottom, 2)
    box = (40).to_bytes(4) + b"clap" + b"".join(n.to_bytes(4, signed=True) for n in numbers)
    mp4_with(path, box, size=SIZE, frames=2, picture=framed)


@pytest.mark.parametrize(
    ("name", "write"), [("a.mkv", cropped_matroska), ("a.mp4", cropped_mp4), ("a.mov", cropped_mp4)]
)
def test_the_edges_that_a_container_leaves_out_are_left_out(tmp_path: Path, name: str, write) -> None:
    write(tmp_path / name)
    reading = read_video(tmp_path / name)
    assert (reading.info.width, reading.info.height) == (46, 38)
    for image in reading.images:
        assert image.shape == (38, 46, 3)
        assert image.mean() > 215


@pytest.mark.parametrize("crop", [Crop(left=40, right=30), Crop(top=48), Crop(left=-4, right=4), Crop()])
def test_a_crop_that_leaves_nothing_or_makes_no_sense_is_none(crop: Crop) -> None:
    assert not crop.leaves(48, 64)
