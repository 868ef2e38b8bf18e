"""What is saved while somebody watches."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.live.files.outputs import saved_picture
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
