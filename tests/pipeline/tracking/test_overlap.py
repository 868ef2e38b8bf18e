"""Overlap of boxes and of coarse masks, against slow and obvious ways to find it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from pipeline.tracking.overlap import Patch, box_ious, mask_iou, moved
from tests.pipeline.tracking.tracker_inputs import SIZE, wedge

HEIGHT, WIDTH = SIZE


def boxes(count: int, seed: int) -> np.ndarray:
    corners = np.random.default_rng(seed).uniform(0, 100, (count, 2, 2))
    return np.sort(corners, axis=1).reshape(count, 4).astype(np.float32)


def whole(patch: Patch, grid: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(grid, dtype=bool)
    mask[patch.rows, patch.columns] = patch.cells
    assert patch.area == mask.sum()
    return mask


def test_box_iou_is_that_of_torchvision():
    a, b = boxes(7, 0), boxes(5, 1)
    expected = box_iou(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    np.testing.assert_allclose(box_ious(a, b), expected, atol=1e-6)
    assert box_ious(a[:0], b).shape == (0, 5)


def test_boxes_without_area_or_turned_inside_out_overlap_nothing():
    odd = np.array([[5, 5, 5, 5], [9, 9, 1, 1], [0, 3, 10, 3]], np.float32)
    assert not box_ious(odd, np.array([[0, 0, 10, 10], [5, 5, 5, 5]], np.float32)).any()


def test_a_mask_whose_box_stays_stays_too():
    box = (40.0, 20.0, 100.0, 80.0)
    mask = wedge(box, lower=True, step=2)
    there = moved(mask, np.array(box), np.array(box), SIZE, mask.shape)
    np.testing.assert_array_equal(whole(there, mask.shape), mask)


@pytest.mark.parametrize("shift", [(10, 4), (-30, 8), (0, -10)])
def test_a_mask_goes_along_with_its_box(shift: tuple[int, int]):
    box = np.array([40.0, 20.0, 100.0, 80.0])
    there = box + np.tile(shift, 2)
    patch = moved(wedge(tuple(box), lower=False, step=2), box, there, SIZE, (HEIGHT // 2, WIDTH // 2))
    np.testing.assert_array_equal(
        whole(patch, (HEIGHT // 2, WIDTH // 2)), wedge(tuple(there), lower=False, step=2)
    )


def test_a_mask_grows_with_its_box_and_passes_from_one_grid_to_another():
    small, large = (40.0, 20.0, 80.0, 60.0), (20.0, 10.0, 120.0, 110.0)
    grid = (HEIGHT // 4, WIDTH // 4)
    patch = moved(wedge(small, lower=True), np.array(small), np.array(large), SIZE, grid)
    expected = wedge(large, lower=True, step=4)
    assert mask_iou(patch, expected, int(expected.sum())) > 0.95


@pytest.mark.parametrize(
    "there",
    [
        (-90.0, 0.0, -10.0, 80.0),
        (250.0, 20.0, 300.0, 80.0),
        (90.0, 70.0, 80.0, 60.0),
        (50.0, 50.0, 50.0, 50.0),
    ],
)
def test_what_leaves_the_frame_or_has_no_extent_is_empty(there: tuple[float, ...]):
    box = (40.0, 20.0, 100.0, 80.0)
    patch = moved(wedge(box, lower=True), np.array(box), np.array(there), SIZE, SIZE)
    assert patch.area == 0
    assert not whole(patch, SIZE).any()


def test_what_comes_in_over_the_edge_goes_on_as_it_was_at_the_edge():
    box, there = np.array([-40.0, 20.0, 40.0, 80.0]), np.array([0.0, 20.0, 80.0, 80.0])
    mask = np.zeros(SIZE, dtype=bool)
    mask[20:80, :40] = True
    patch = moved(mask, box, there, SIZE, SIZE)
    expected = np.zeros(SIZE, dtype=bool)
    expected[20:80, :80] = True
    np.testing.assert_array_equal(whole(patch, SIZE), expected)


def test_mask_iou_counts_cells_and_says_nothing_of_empty_masks():
    mask = np.zeros((6, 6), dtype=bool)
    mask[:3] = True
    patch = Patch(slice(2, 6), slice(0, 6), np.ones((4, 6), dtype=bool), 24)
    assert mask_iou(patch, mask, 18) == pytest.approx(6 / 36)
    assert math.isnan(mask_iou(patch, np.zeros((6, 6), dtype=bool), 0))
    assert math.isnan(mask_iou(Patch(slice(0, 0), slice(0, 0), np.zeros((0, 0), bool), 0), mask, 18))
