"""Dropping stray regions of a mask, on masks small enough to count by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from model.host.regions import without_small_regions


def mask_of(*rows: str) -> NDArray[np.float32]:
    """A probability of 0.9 at each `#`, of 0.4 at each `.`."""
    return np.array([[0.9 if cell == "#" else 0.4 for cell in row] for row in rows], np.float32)


BODY_ARM_SPECK = mask_of(
    "#####..##",
    "#####..##",
    ".........",
    "........#",
)


def test_a_speck_goes_and_a_part_of_like_size_stays():
    left = without_small_regions(BODY_ARM_SPECK, 0.2)
    # regions of 10, 4 and 1
    assert left[3, 8] == 0
    left[3, 8] = BODY_ARM_SPECK[3, 8]
    np.testing.assert_array_equal(left, BODY_ARM_SPECK)


@pytest.mark.parametrize(
    ("share", "cells"), [(0.0, 15), (0.1, 15), (0.11, 14), (0.4, 14), (0.41, 10), (1.0, 10)]
)
def test_a_region_stays_from_its_share_of_the_largest_on(share: float, cells: int):
    assert np.count_nonzero(without_small_regions(BODY_ARM_SPECK, share) > 0.5) == cells


def test_cells_that_touch_at_a_corner_are_of_one_region():
    diagonal = mask_of("####.", "####.", "....#")
    assert without_small_regions(diagonal, 1.0) is diagonal


def test_an_empty_mask_stays_empty():
    empty = mask_of("...", "...")
    assert without_small_regions(empty, 0.5) is empty


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_a_mask_without_cells_stays_as_it_is(shape: tuple[int, int]):
    nothing = np.zeros(shape, np.float32)
    assert without_small_regions(nothing, 0.5) is nothing
