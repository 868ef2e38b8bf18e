"""Photographs come out upright, or as their pixels are stored, whichever is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.training.data.image_files import decode_rgb, read_size
from pipeline.sources.images import read_image

PICTURE = np.zeros((20, 40, 3), np.uint8)
PICTURE[:5, :9] = (250, 20, 0)
PICTURE[-3:, -4:] = (0, 200, 80)
# EXIF 2.3, section 4.6.4: which side of what is seen the first row and the first column of the pixels are
SEEN = {
    1: PICTURE,
    2: PICTURE[:, ::-1],
    3: PICTURE[::-1, ::-1],
    4: PICTURE[::-1],
    5: PICTURE.transpose(1, 0, 2),
    6: np.rot90(PICTURE, -1),
    7: np.rot90(PICTURE, 2).transpose(1, 0, 2),
    8: np.rot90(PICTURE),
}


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
@pytest.mark.parametrize("orientation", SEEN)
def test_every_orientation_is_undone_once_and_can_be_left_as_stored(
    tmp_path: Path, suffix: str, orientation: int
):
    path = tmp_path / f"a.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(PICTURE).save(path, exif=exif, **options)

    assert read_size(path) == (40, 20, orientation > 4)
    for read in (
        lambda upright: decode_rgb(path, upright),
        lambda upright: read_image(path, upright)[..., ::-1],
    ):
        assert np.array_equal(read(True), SEEN[orientation])
        assert np.array_equal(read(False), PICTURE)


def test_a_broken_block_of_exif_costs_the_turn_and_not_the_picture(tmp_path: Path):
    path = tmp_path / "a.png"
    Image.fromarray(PICTURE).save(path, exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")

    assert np.array_equal(read_image(path)[..., ::-1], PICTURE)
    assert read_size(path) == (40, 20, False)
