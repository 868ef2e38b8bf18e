"""Image files that EXIF says to turn: their size, their stored and their upright pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from model.training.data.image_files import decode_rgb, labels_are_upright, read_size
from tests.orientations import uprights

STORED = np.zeros((4, 6, 3), np.uint8)
STORED[:2, :3], STORED[:2, 3:], STORED[2:, :3] = (200, 0, 0), (0, 200, 0), (0, 0, 200)

UPRIGHT = uprights(STORED)
WRITERS = {"a.tif": {}, "packed.tif": {"compression": "tiff_lzw"}, "a.png": {}}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_stored_and_upright_pixels_are_told_apart(tmp_path: Path, orientation: int, name: str) -> None:
    path = saved(tmp_path / name, orientation, WRITERS[name])
    assert read_size(path) == (6, 4, orientation >= 5)
    assert np.array_equal(decode_rgb(path, upright=False), STORED)
    assert np.array_equal(decode_rgb(path), UPRIGHT[orientation])


@pytest.mark.parametrize("name", WRITERS)
def test_labels_of_a_quarter_turn_belong_to_the_frame_of_their_size(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path / name, 6, WRITERS[name])
    assert labels_are_upright(path, 4, 6)
    assert not labels_are_upright(path, 6, 4)


def saved(path: Path, orientation: int, options: dict[str, str]) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels: NDArray[np.uint8] = STORED
    Image.fromarray(pixels).save(path, exif=exif, **options)
    return path
