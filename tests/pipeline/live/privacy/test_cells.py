"""The coarse grid on a frame, against slow and obvious ways to the same."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model.detections import MaskCrop
from pipeline.live.privacy.cells import Grid, filled, in_blocks, stretched, widened, without
from pipeline.tracking.matching import pairs

GRID = Grid(45, 70, 8)  # the last row and column of cells are cut


@st.composite
def crops(draw: st.DrawFn) -> MaskCrop:
    """Anywhere in the frame, the empty ones too."""
    y, x = draw(st.integers(0, 45)), draw(st.integers(0, 70))
    h, w = draw(st.integers(0, 45 - y)), draw(st.integers(0, 70 - x))
    seed = draw(st.integers(0, 99))
    return MaskCrop(x, y, np.random.default_rng(seed).random((h, w)) < 0.02)


def regions(grid: Grid = GRID) -> st.SearchStrategy[np.ndarray]:
    return st.integers(0, 999).map(lambda seed: np.random.default_rng(seed).random(grid.shape) < 0.1)


def on_frame(cells: np.ndarray) -> np.ndarray:
    """[H, W] bool, each cell with all of its pixels."""
    y, x = np.mgrid[: GRID.height, : GRID.width] // GRID.side
    return cells[y, x]


@given(crops())
def test_a_mask_touches_the_cells_that_hold_its_pixels(crop: MaskCrop) -> None:
    expected = np.zeros(GRID.shape, dtype=bool)
    y, x = np.nonzero(crop.paste(45, 70))
    expected[y // 8, x // 8] = True
    assert np.array_equal(GRID.touched_by(crop), expected)


@given(regions())
def test_the_mask_of_cells_has_all_of_their_pixels(cells: np.ndarray) -> None:
    assert np.array_equal(GRID.mask(cells).paste(45, 70), on_frame(cells))


@given(crops(), regions())
def test_a_mask_without_cells_has_none_of_their_pixels(crop: MaskCrop, cells: np.ndarray) -> None:
    left = without(GRID, crop, cells)
    assert np.array_equal(left.paste(45, 70), crop.paste(45, 70) & ~on_frame(cells))


@given(regions(), st.integers(0, 3))
def test_blocks_are_hidden_whole(cells: np.ndarray, level: int) -> None:
    expected = np.zeros_like(cells)
    side = 1 << level
    for y, x in np.argwhere(cells) // side * side:
        expected[y : y + side, x : x + side] = True
    assert np.array_equal(in_blocks(cells, level), expected)


def test_a_region_grows_on_all_sides_and_a_way_is_drawn_out_to_where_it_leads() -> None:
    one = GRID.empty()
    one[3, 4] = True
    assert np.argwhere(widened(one, 1)).tolist() == [[y, x] for y in (2, 3, 4) for x in (3, 4, 5)]
    assert np.argwhere(stretched(one, 2, 0)).tolist() == [[3, 4], [3, 5], [3, 6]]
    assert np.argwhere(stretched(one, 0, -2)).tolist() == [[1, 4], [2, 4], [3, 4]]
    assert np.argwhere(stretched(one, -50, 0)).tolist() == [[3, x] for x in range(5)]


def test_what_is_enclosed_is_filled_and_what_is_open_is_not() -> None:
    ring = np.zeros((6, 9), dtype=bool)
    ring[0:4, 0:4] = True
    ring[1:3, 1:3] = False
    ring[0:3, 6:9] = True
    ring[0:2, 7] = False
    closed = filled(ring)
    assert closed[:4, :4].all()
    assert np.array_equal(closed[:, 4:], ring[:, 4:])


def test_a_box_outside_of_the_frame_touches_the_cells_next_to_it() -> None:
    def touched(*box: float) -> list[list[int]]:
        return np.argwhere(GRID.touched_by_box(np.array(box, np.float32))).tolist()

    assert touched(-50, -50, -40, -40) == [[0, 0]]
    assert touched(500, 20, 600, 20) == [[2, 8]]
    assert touched(7, 7, 8, 8) == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_pairs_are_made_best_first_and_nobody_is_in_two() -> None:
    overlap = np.array([[0.9, 0.8, 0.0], [0.85, 0.4, 0.2]])
    assert pairs(overlap, 0.3) == {0: 0, 1: 1}
    assert pairs(overlap, 0.5) == {0: 0}
    assert pairs(np.array([[0.6, 0.7], [0.0, 0.9]]), 0.3) == {0: 0, 1: 1}
