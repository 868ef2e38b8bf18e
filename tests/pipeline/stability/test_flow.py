"""Where the pixels of a frame were in the frame before."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.stability.flow import LONGEST_SIDE, SAME_SHOT, FlowEstimator, grid_size, luminance
from tests.pipeline.stability.scenes import HEIGHT, WIDTH, moving, texture


def test_it_points_back_to_where_the_object_came_from():
    before, now = moving(2, dx=5, dy=-3).frames

    moved = FlowEstimator()(luminance(before), luminance(now))

    inside = np.s_[90:140, 120:180]  # well within the object
    columns, rows = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    assert np.abs(moved.x[inside] - (columns[inside] - 5)).max() < 0.5
    assert np.abs(moved.y[inside] - (rows[inside] + 3)).max() < 0.5
    assert moved.known[inside].all()
    assert moved.spread == pytest.approx((-5, 0, 0, 3), abs=1.5)


def test_what_the_object_uncovers_is_not_known():
    before, now = moving(2, dx=10).frames

    moved = FlowEstimator()(luminance(before), luminance(now))

    uncovered = moved.known[90:150, 101:109]  # the object stood here, and the ground behind it was hidden
    assert uncovered.mean() < 0.35
    assert moved.known[:70].mean() > 0.99


def test_what_comes_into_the_frame_is_not_known():
    wide = texture(3, HEIGHT, WIDTH + 20)
    before, now = wide[:, :WIDTH], wide[:, 20:]

    moved = FlowEstimator()(luminance(before), luminance(now))

    assert not moved.known[:, -18:].any()
    assert moved.known[20:-20, 30:-40].mean() > 0.99


def test_another_scene_is_not_found_again_and_a_moving_one_is():
    estimate = FlowEstimator()
    before, now = (luminance(frame) for frame in moving(2, dx=8).frames)

    assert estimate(before, now).share_known > 0.9
    assert estimate(before, luminance(texture(9))).share_known < SAME_SHOT


@pytest.mark.parametrize(
    ("image", "grid"),
    [
        ((480, 854), (360, 640)),
        ((2160, 3840), (360, 640)),
        ((240, 320), (240, 320)),
        ((1, 1), (1, 1)),
        ((2, 4000), (1, 640)),
    ],
)
def test_large_frames_are_compared_small_and_small_ones_as_they_are(
    image: tuple[int, int], grid: tuple[int, int]
):
    assert grid_size(image) == grid
    assert luminance(np.zeros((*image, 3), np.uint8)).shape == grid
    assert max(grid) <= LONGEST_SIDE


def test_a_picture_too_small_for_a_flow_counts_as_still():
    picture = luminance(texture(4, 8, 40))

    moved = FlowEstimator()(picture, picture[:, ::-1].copy())

    assert moved.known.all()
    assert (moved.x == np.arange(40)).all()
