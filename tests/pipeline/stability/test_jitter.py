"""The jitter between two masks, against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.detections import MaskCrop
from pipeline.stability.flow import Correspondence
from pipeline.stability.jitter import band_width, carry, jitter
from pipeline.stability.raster import objects, on_grid
from tests.pipeline.stability.scenes import Mask, rectangle

SIZE = (120, 160)


def motion(dx: float = 0.0, dy: float = 0.0, known: Mask | None = None) -> Correspondence:
    """A picture that has moved by (dx, dy) px as a whole."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float32)
    every = np.ones(SIZE, dtype=bool) if known is None else known
    return Correspondence(columns - np.float32(dx), rows - np.float32(dy), every, (-dx, -dx, -dy, -dy))


def box(x: int, y: int, w: int = 60, h: int = 40) -> MaskCrop:
    return MaskCrop(0, 0, rectangle(x, y, w, h, SIZE))


def ring(x: int, width: int, w: int = 60, h: int = 40) -> Mask:
    """The part of a box within `width` px of its edge."""
    return rectangle(x, 30, w, h, SIZE) & ~rectangle(
        x + width, 30 + width, w - 2 * width, h - 2 * width, SIZE
    )


@given(dx=st.integers(-20, 20), dy=st.integers(-20, 20))
def test_a_mask_that_moves_with_the_picture_does_not_jitter(dx: int, dy: int):
    found = jitter(box(50 + dx, 40 + dy), box(50, 40), motion(dx, dy))

    assert found is not None
    assert (found.whole, found.boundary) == (0.0, 0.0)


def test_a_crop_may_lie_at_a_place_of_numpys_integers():
    now, before = (MaskCrop(np.int64(x), np.int64(40), np.ones((40, 60), bool)) for x in (53, 50))

    found = jitter(now, before, motion(3))

    assert found is not None
    assert found.whole == 0


@given(shift=st.integers(0, 20), dx=st.integers(-10, 10))
def test_a_shift_beyond_the_pictures_motion_costs_what_it_must(shift: int, dx: int):
    w = 60
    found = jitter(box(50 + dx + shift, 30), box(50, 30), motion(dx))

    width = band_width(math.sqrt(w * 40), SIZE)
    one, other = ring(50 + dx, width), ring(50 + dx + shift, width)
    assert found is not None
    assert found.whole == pytest.approx(2 * shift / (w + shift))
    assert found.boundary == pytest.approx(1 - (one & other).sum() / (one | other).sum())


@pytest.mark.parametrize("shift", [1, 2, 4])
def test_the_boundary_reacts_more_than_the_whole(shift: int):
    found = jitter(box(50 + shift, 30), box(50, 30), motion())

    assert found is not None
    assert found.boundary is not None
    assert found.boundary > 3 * found.whole


def test_what_is_not_known_is_left_out():
    known = np.ones(SIZE, dtype=bool)
    known[:, 100:] = False

    found = jitter(box(50, 30, 60), box(50, 30, 90), motion(known=known))

    assert found is not None
    assert found.whole == 0


def test_nothing_is_told_where_too_little_is_known_or_a_mask_is_empty():
    empty = on_grid(MaskCrop(0, 0, np.zeros(SIZE, dtype=bool)), SIZE, SIZE)

    assert jitter(box(50, 30), box(50, 30), motion(known=np.zeros(SIZE, dtype=bool))) is None
    assert jitter(box(50, 30), empty, motion()) is None
    assert jitter(empty, box(50, 30), motion()) is None
    assert carry(empty, motion()).area == 0


def test_the_edge_of_the_frame_is_no_boundary():
    """An object comes in from the left: what enters was not there before, and costs nothing."""
    known = np.ones(SIZE, dtype=bool)
    known[:, :10] = False

    found = jitter(box(0, 30, 40), box(0, 30, 30), motion(10, known=known))

    assert found is not None
    assert (found.whole, found.boundary) == (0.0, 0.0)


def test_a_mask_over_the_whole_frame_has_no_boundary():
    found = jitter(box(0, 0, 160, 120), box(0, 0, 160, 120), motion())

    assert found is not None
    assert (found.whole, found.boundary) == (0.0, None)


def test_a_mask_is_carried_to_where_the_picture_has_moved():
    carried = carry(box(50, 30), motion(7, -4))

    assert np.array_equal(carried.paste(*SIZE), rectangle(57, 26, 60, 40, SIZE))


def test_the_band_is_2_percent_of_the_diagonal_and_less_on_small_objects():
    assert band_width(1000, (360, 640)) == round(0.02 * math.hypot(360, 640))
    assert band_width(50, (360, 640)) == 5
    assert band_width(2, (360, 640)) == 1


@settings(max_examples=50)
@given(data=st.data(), rows=st.integers(1, 40), columns=st.integers(1, 40))
def test_a_mask_on_a_smaller_raster_does_not_depend_on_how_it_was_cropped(
    data: st.DataObject, rows: int, columns: int
):
    seed, scale = data.draw(st.integers(0, 1000)), data.draw(st.floats(0.1, 1))
    mask = np.random.default_rng(seed).random((rows, columns)) < 0.5
    grid = (max(round(rows * scale), 1), max(round(columns * scale), 1))

    whole = on_grid(MaskCrop(0, 0, mask), mask.shape, grid).paste(*grid)
    cropped = [
        on_grid(crop, mask.shape, grid).paste(*grid) for crop in objects(mask.astype(np.uint8)).values()
    ]

    y, x = ((2 * np.arange(n) + 1) * m // (2 * n) for n, m in zip(grid, mask.shape, strict=True))
    assert np.array_equal(whole, mask[y[:, None], x])
    assert all(np.array_equal(whole, other) for other in cropped)
