"""From a window's logits to pixels of the picture."""

from __future__ import annotations

import numpy as np
import pytest

from model.sharpmask.paste import paste, resizing


def test_enlarging_keeps_both_ends_and_is_linear_between_them():
    assert (resizing(3, 5).numpy() @ np.array([0.0, 2.0, 6.0])).tolist() == [0, 1, 2, 4, 6]


def test_reducing_takes_the_mean_of_what_each_pixel_covers():
    assert (resizing(6, 3).numpy() @ np.array([1.0, 3, 5, 7, 0, 10])).tolist() == [2, 6, 5]
    assert resizing(5, 2).tolist() == pytest.approx(np.array([[2, 2, 1, 0, 0], [0, 0, 1, 2, 2]]) / 5)


@pytest.mark.parametrize(("source", "target"), [(1, 1), (1, 4), (4, 1), (56, 452), (160, 56), (160, 160)])
def test_every_row_of_a_resizing_adds_up_to_one(source: int, target: int):
    assert resizing(source, target).numpy().sum(1) == pytest.approx(np.ones(target), abs=1e-5)


def test_a_window_lies_where_its_corner_says():
    mask = paste(np.full((4, 4), 5.0), 1.0, (2, 3), (20, 20), window=4)

    assert (mask.y, mask.x, mask.pixels.shape) == (2, 3, (4, 4))
    assert mask.pixels.all()
    assert mask.box == (3, 2, 7, 6)


def test_a_scale_enlarges_window_and_corner():
    mask = paste(np.full((4, 4), 5.0), 0.5, (2, 3), (40, 40), window=4)

    assert mask.box == (6, 4, 14, 12)


def test_what_lies_outside_the_picture_is_dropped():
    mask = paste(np.full((4, 4), 5.0), 1.0, (-2, 8), (20, 10), window=4)

    assert mask.box == (8, 0, 10, 2)


@pytest.mark.parametrize("corner", [(-9, 0), (0, -9), (30, 0), (0, 30)])
def test_a_window_outside_the_picture_is_empty(corner: tuple[int, int]):
    mask = paste(np.full((4, 4), 5.0), 1.0, corner, (20, 20), window=4)

    assert mask.pixels.size == 0
    assert mask.box == (0, 0, 0, 0)


@pytest.mark.parametrize(("logit", "kept"), [(-1.38, True), (-1.39, False)])
def test_a_pixel_is_kept_from_a_probability_of_a_fifth_on(logit: float, kept: bool):
    assert paste(np.full((2, 2), logit), 1.0, (0, 0), (2, 2), window=2).area == 4 * kept


def test_a_mask_is_cropped_to_its_pixels():
    logits = np.full((6, 6), -9.0)
    logits[2:4, 1:5] = 9

    mask = paste(logits, 1.0, (10, 20), (40, 40), window=6)

    assert mask.box == (21, 12, 25, 14)
    assert mask.pixels.all()
