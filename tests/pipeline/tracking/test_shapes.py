"""Masks that are moved and bent by their codes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from model.detections import MaskCrop, mask_iou
from pipeline.tracking.shapes import CELLS, Shapes, shapes_of

SIZE = (240, 320)
PEOPLE = Path(__file__).parents[4] / "shared/data/davis/breakdance/masks"


def disc(x: float, y: float, radius: float) -> MaskCrop:
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return cropped((columns - x) ** 2 + (rows - y) ** 2 <= radius**2)


def cropped(mask: NDArray[np.bool_]) -> MaskCrop:
    x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
    return MaskCrop(x, y, mask[y : y + h, x : x + w].copy())


def box_of(crop: MaskCrop) -> NDArray[np.float32]:
    height, width = crop.pixels.shape
    return np.array([[crop.x, crop.y, crop.x + width, crop.y + height]], np.float32)


def shapes(*crops: MaskCrop, size: tuple[int, int] = SIZE) -> Shapes:
    return shapes_of(crops, np.concatenate([box_of(crop) for crop in crops]), size)


def people() -> list[MaskCrop]:
    """Every eighth mask of a dancer, whose arms and legs are far from his body."""
    if not PEOPLE.is_dir():
        pytest.skip("needs the masks of davis/breakdance in ../shared/data")
    read = (cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in sorted(PEOPLE.glob("*.png"))[::8])
    return [cropped(mask > 127) for mask in read if mask is not None]


def test_a_mask_of_which_nothing_changes_is_the_very_same():
    given = shapes(disc(100, 100, 40), disc(200, 120, 10))
    got = given.redrawn(given.boxes, given.codes, given.bodies)
    assert all(one is other for one, other in zip(got, given.crops, strict=True))
    assert given.redrawn(given.boxes, given.codes)[0] is given.crops[0]


def test_a_body_is_the_rectangle_whose_moments_are_those_of_the_mask():
    filled = MaskCrop(30, 20, np.ones((40, 60), bool))
    np.testing.assert_allclose(shapes(filled).bodies, [[30, 20, 90, 60]], atol=0.02)


def test_a_body_hardly_moves_when_an_arm_is_raised():
    person = np.zeros(SIZE, bool)
    person[100:200, 100:150] = True
    raised = person.copy()
    raised[40:100, 120:126] = True
    before, after = shapes(cropped(person)).bodies, shapes(cropped(raised)).bodies
    assert np.abs(after - before).max() < 0.4 * 60, "the box grows by 60"


def test_a_body_that_moves_by_whole_pixels_takes_its_mask_along_exactly():
    given = shapes(disc(100, 100, 40))
    moved = np.array([12, -7, 12, -7], np.float32)
    by_body = given.redrawn(given.boxes, given.codes, given.bodies + moved)[0]
    by_box = given.redrawn(given.boxes + moved, given.codes)[0]
    expected = disc(112, 93, 40).paste(*SIZE)
    np.testing.assert_array_equal(by_body.paste(*SIZE), expected)
    np.testing.assert_array_equal(by_box.paste(*SIZE), expected)


def test_a_body_that_grows_takes_its_mask_along():
    given, wanted = shapes(disc(150, 120, 40)), disc(150, 120, 60)
    got = given.redrawn(given.boxes, given.codes, shapes(wanted).bodies)[0]
    assert mask_iou(got, wanted) > 0.98


def test_the_mean_of_two_discs_is_the_disc_between_them():
    small, large = disc(150, 120, 50), disc(150, 120, 54)
    body = shapes(small).bodies
    one, other = shapes(small), shapes(large)
    got = one.redrawn(one.boxes, (one.codes + other.codes) / 2, (body + other.bodies) / 2)[0]
    assert mask_iou(got, disc(150, 120, 52)) > 0.985


def test_a_code_bends_a_mask_into_another_one():
    round_one = disc(150, 120, 50)
    corner = np.zeros(SIZE, bool)
    corner[70:171, 100:201] = True
    corner[70:110, 100:140] = False
    given, wanted = shapes(round_one), shapes(cropped(corner))
    got = given.redrawn(given.boxes, wanted.codes, wanted.bodies)[0]
    assert mask_iou(got, wanted.crops[0]) > 0.93


def test_redrawing_alone_costs_real_masks_of_people_next_to_nothing():
    given = shapes(*people(), size=(480, 854))
    barely = given.redrawn(given.boxes, given.codes * np.float32(0.9999), given.bodies)
    assert min(map(mask_iou, barely, given.crops)) > 0.99
    half = given.redrawn(given.boxes, given.codes, given.bodies + np.float32(0.4))
    back = shapes(*half, size=(480, 854))
    returned = back.redrawn(back.boxes, back.codes, back.bodies - np.float32(0.4))
    assert min(map(mask_iou, returned, given.crops)) > 0.98


def test_a_mask_at_the_edge_of_the_frame_leaves_no_gap_there_when_it_moves_inwards():
    wall = np.zeros(SIZE, bool)
    wall[:, :80] = True
    given = shapes(cropped(wall))
    got = given.redrawn(given.boxes, given.codes, given.bodies + np.float32(3))[0].paste(*SIZE)
    assert got[:, :83].all()
    assert not got[:, 84:].any()


@pytest.mark.parametrize("x", [-500, 2000])
def test_a_mask_that_is_moved_out_of_the_frame_is_empty(x):
    given = shapes(disc(100, 100, 40))
    got = given.redrawn(given.boxes, given.codes, given.bodies + np.array([x, 0, x, 0], np.float32))[0]
    assert got.area == 0
    assert got.paste(*SIZE).shape == SIZE


def test_crops_lie_within_the_frame_wherever_bodies_are_moved():
    given, rng = shapes(disc(20, 20, 19), disc(300, 220, 15)), np.random.default_rng(0)
    for _ in range(30):
        codes = given.codes + rng.normal(0, 0.3, given.codes.shape).astype(np.float32)
        bodies = given.bodies + rng.normal(0, 60, given.bodies.shape).astype(np.float32)
        for crop in given.redrawn(given.boxes, codes, bodies):
            assert crop.paste(*SIZE).sum() == crop.area


@pytest.mark.parametrize("pixels", [np.zeros((0, 0), bool), np.zeros((5, 7), bool)])
def test_an_empty_mask_stays_empty(pixels):
    crop = MaskCrop(10, 10, pixels)
    given = shapes_of([crop], np.array([[10, 10, 20, 20]], np.float32), SIZE)
    assert (given.codes == -1).all()
    assert given.redrawn(given.boxes + 1, given.codes + 1, given.bodies)[0].area == 0


def test_a_mask_of_one_pixel_and_a_box_without_area_have_a_code():
    crop = MaskCrop(10, 12, np.ones((1, 1), bool))
    given = shapes_of([crop], np.array([[10, 12, 10, 12]], np.float32), SIZE)
    assert np.isfinite(given.codes).all()
    moved = given.redrawn(given.boxes, given.codes, given.bodies + np.float32(2))[0].paste(*SIZE)
    assert moved[14, 12]


def test_no_masks_have_no_codes():
    given = shapes_of([], np.zeros((0, 4), np.float32), SIZE)
    assert given.codes.shape == (0, CELLS, CELLS)
    assert given.redrawn(given.boxes, given.codes) == ()
