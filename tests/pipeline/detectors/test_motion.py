"""Detections that are moved along by optical flow."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from model.detections import Detections, MaskCrop, mask_iou
from pipeline.detectors.motion import FlowOnSmall, change, move, small_picture

SIZE = (240, 320)


def texture(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (SIZE[0] // 8, SIZE[1] // 8, 3), np.uint8)
    return cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_CUBIC)


def scene(x: float, y: float, side: float = 80.0, angle: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A textured square over a still ground, and its mask."""
    ground, square = texture(0) // 2, texture(1)
    centre = np.array([40.0, 40.0])
    turn = cv2.getRotationMatrix2D(tuple(centre), angle, side / 80)
    turn[:, 2] += np.array([x + side / 2, y + side / 2]) - centre
    patch = np.zeros_like(square)
    patch[:80, :80] = 255
    mask = cv2.warpAffine(patch[..., 0], turn, SIZE[::-1]) > 127
    drawn = cv2.warpAffine(square, turn, SIZE[::-1])
    return np.where(mask[..., None], drawn, ground), mask


def found(mask: np.ndarray, with_masks: bool = True) -> Detections:
    crop = MaskCrop(0, 0, mask).tight()
    return Detections(
        SIZE,
        np.array([crop.box], np.float32),
        np.array([0.9], np.float32),
        np.array([0]),
        ("thing",),
        (crop,) if with_masks else None,
        np.array([0.8], np.float32),
        np.array([7]),
    )


def flow_between(before: np.ndarray, now: np.ndarray) -> np.ndarray:
    return FlowOnSmall()(small_picture(before), small_picture(now))


@pytest.mark.parametrize("step", [(0, 0), (6, 0), (0, -5), (-7, 4), (12, 9)])
def test_a_mask_and_its_box_go_where_the_object_goes(step: tuple[int, int]):
    before, mask = scene(100, 80)
    now, expected = scene(100 + step[0], 80 + step[1])
    moved = move(found(mask), flow_between(before, now))
    assert moved.crops is not None
    assert mask_iou(moved.crops[0], MaskCrop(0, 0, expected)) > 0.9
    np.testing.assert_allclose(moved.boxes[0], MaskCrop(0, 0, expected).tight().box, atol=2.5)
    assert (moved.scores, moved.box_scores, moved.track_ids) == (0.9, np.float32(0.8), 7)


@pytest.mark.parametrize(("side", "angle"), [(88.0, 0.0), (72.0, 0.0), (80.0, 8.0)])
def test_a_mask_grows_shrinks_and_turns_with_its_object(side: float, angle: float):
    before, mask = scene(100, 80)
    now, expected = scene(100, 80, side, angle)
    still = mask_iou(MaskCrop(0, 0, mask), MaskCrop(0, 0, expected))
    moved = move(found(mask), flow_between(before, now))
    assert moved.crops is not None
    assert mask_iou(moved.crops[0], MaskCrop(0, 0, expected)) > max(0.92, still)


def test_boxes_without_masks_are_moved_too():
    before, mask = scene(100, 80)
    now, expected = scene(106, 77)
    moved = move(found(mask, with_masks=False), flow_between(before, now))
    assert moved.crops is None
    np.testing.assert_allclose(moved.boxes[0], MaskCrop(0, 0, expected).tight().box, atol=2)


def test_what_leaves_the_frame_is_cut_at_its_edge():
    flow = np.full((SIZE[0] * 256 // SIZE[1], 256, 2), 0, np.float32)
    flow[..., 0] = 40  # everything was 50 pixels further to the right
    mask = np.zeros(SIZE, bool)
    mask[100:160, 10:70] = True
    moved = move(found(mask), flow)
    assert moved.crops is not None
    assert moved.crops[0].area == pytest.approx(60 * 20, abs=130)
    assert moved.boxes[0, 0] >= 0
    gone = move(moved, flow)
    assert gone.crops is not None
    assert gone.crops[0].area == 0
    assert np.isfinite(gone.boxes).all()


@pytest.mark.parametrize("mask", [np.zeros(SIZE, bool), np.eye(*SIZE, dtype=bool)], ids=["empty", "thin"])
def test_masks_of_hardly_any_cells_move_with_their_box(mask: np.ndarray):
    flow = np.zeros((192, 256, 2), np.float32)
    flow[..., 1] = -4.0  # 5 pixels downward
    moved = move(found(mask), flow)
    assert moved.crops is not None
    assert np.isfinite(moved.boxes).all()
    if mask.any():
        assert moved.crops[0].tight().y == pytest.approx(5, abs=1)


def test_nothing_found_stays_nothing():
    nothing = found(np.zeros(SIZE, bool)).select([])
    assert move(nothing, np.zeros((192, 256, 2), np.float32)) is nothing


def test_motion_explains_what_moves_and_not_another_scene():
    before, now = scene(100, 80)[0], scene(106, 80)[0]
    small = [small_picture(picture) for picture in (before, now, texture(5))]
    flow = FlowOnSmall()
    assert change(small[0], small[1], flow(small[0], small[1])) < 4
    assert change(small[0], small[2], flow(small[0], small[2])) > 14


@pytest.mark.parametrize("size", [(1, 1), (5, 300), (11, 11)])
def test_pictures_that_are_too_small_for_flow_stand_still(size: tuple[int, int]):
    small = small_picture(np.zeros((*size, 3), np.uint8))
    assert not FlowOnSmall()(small, small).any()
