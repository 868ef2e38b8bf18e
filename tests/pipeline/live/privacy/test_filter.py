"""People pixelated: nothing of them is left in the frame, the masks, the json or the prototypes."""

from __future__ import annotations

import dataclasses
import json

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from model.detections import Detections, MaskCrop, no_detections
from pipeline.frame import Result
from pipeline.live.privacy.filter import PrivacyFilter
from pipeline.sinks.jsonl import frame_record
from tests.pipeline.live.scenes import NAMES, SIZE, Box, changed, colours, disc, found, inside, noise, result

MIDDLE: Box = (500, 200, 700, 600)
EMPTY = MaskCrop(600, 300, np.zeros((0, 0), bool))
# large enough that a block is never cut by the edge, so that means can be told exactly
SQUARE = (960, 960)


def hidden(before: Result) -> Result:
    return PrivacyFilter()(before)


def least_block(box: Box, size: tuple[int, int] = SIZE) -> float:
    """What a block must measure at least: an eighth of the smaller side, and 12 pixels at 720p."""
    return max(min(box[2] - box[0], box[3] - box[1]) / 8, 12 * (size[0] * size[1]) ** 0.5 / 960)


def wider(mask: np.ndarray, pixels: int) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * pixels + 1,) * 2, np.uint8)) > 0


def uniform_runs(image: np.ndarray, mask: np.ndarray) -> float:
    """How many pixels of one colour lie side by side in a region, on average."""
    rows, columns = np.nonzero(mask[:, 1:] & mask[:, :-1])
    same = (image[rows, columns] == image[rows, columns + 1]).all(axis=1)
    return 1 / max(1 - same.mean(), 1e-9)


@pytest.mark.parametrize(
    ("box", "size"),
    [
        (MIDDLE, SIZE),
        ((640, 360, 643, 364), SIZE),
        ((0, 0, 1280, 720), SIZE),
        ((0, 0, 90, 200), SIZE),
        ((1200, 600, 1280, 720), SIZE),
        ((1279, 0, 1280, 720), SIZE),
        ((100, 50, 400, 431), (431, 767)),
        ((10, 10, 40, 60), (120, 161)),
        ((3, 2, 6, 9), (9, 7)),
        ((250, 200, 950, 1080), (1080, 1920)),
    ],
)
@pytest.mark.parametrize("with_masks", [True, False])
def test_a_person_is_gone_with_a_margin_and_the_rest_stays(
    box: Box, size: tuple[int, int], with_masks: bool
) -> None:
    before = result(found([box], size=size, with_masks=with_masks))
    after = hidden(before)
    person = disc(box).paste(*size) if with_masks else inside(box, size)
    margin = round(12 * (size[0] * size[1]) ** 0.5 / 960)
    gone = changed(before, after)
    must = wider(person, margin)
    # where noise meets its own mean by chance it stays as it is
    assert gone[must].mean() > 0.999
    farthest = 3 * max(round(least_block(box, size)), 8) + 3 * margin
    assert not gone[~wider(inside(box, size), farthest)].any()
    assert uniform_runs(after.frame.image, must) >= min(least_block(box, size), 0.4 * must.any(axis=0).sum())


@pytest.mark.parametrize(
    "crop", [EMPTY, MaskCrop(500, 200, np.zeros((400, 200), bool)), disc((590, 300, 600, 310))]
)
def test_a_mask_that_holds_hardly_anything_is_not_believed_and_the_box_is_hidden(crop: MaskCrop) -> None:
    before = result(found([MIDDLE], crops=[crop]))
    assert changed(before, hidden(before))[inside(MIDDLE)].mean() > 0.999


def test_a_hole_in_a_mask_is_hidden_too() -> None:
    large: Box = (300, 60, 800, 660)
    ring = disc(large)
    ring.pixels[120:480, 120:380] = False
    before = result(found([large], crops=[ring]))
    assert changed(before, hidden(before))[inside((420, 180, 680, 540))].mean() > 0.999


@pytest.mark.parametrize("box", [(192, 256, 400, 704), (320, 320, 384, 448), (64, 64, 512, 896)])
def test_nothing_is_left_of_a_block_but_its_mean(box: Box) -> None:
    side = 16
    while side < least_block(box):
        side *= 2
    image = noise(SQUARE)
    count = SQUARE[0] // side * side
    blocks = image[:count, :count].reshape(count // side, side, count // side, side, 3)
    mixed = image.copy()
    mixed[:count, :count] = np.roll(blocks, (3, 5), axis=(1, 3)).reshape(count, count, 3)
    people = found([box], size=SQUARE)
    one, other = hidden(result(people, image=image)), hidden(result(people, image=mixed))
    gone = disc(box).paste(*SQUARE)
    assert not np.array_equal(image[gone], mixed[gone])
    assert np.array_equal(one.frame.image[gone], other.frame.image[gone])


def test_blocks_that_the_edge_cuts_keep_their_colour() -> None:
    plain = np.full((431, 767, 3), (10, 120, 250), np.uint8)
    everywhere = found([(0, 0, 767, 431)], size=(431, 767))
    assert np.array_equal(hidden(result(everywhere, image=plain)).frame.image, plain)


def test_of_two_people_in_one_place_the_coarser_blocks_are_seen() -> None:
    near, far = (300, 100, 900, 720), (500, 300, 540, 400)
    both = hidden(result(found([far, near])))
    alone = hidden(result(found([near])))
    place = inside(far)
    apart = np.abs(both.frame.image[place].astype(int) - alone.frame.image[place])
    assert apart.max() <= 1  # a mean of means is rounded twice
    assert both.detections.crops is not None
    assert not both.detections.crops[0].paste(*SIZE)[place].any()


@pytest.mark.parametrize(
    ("detections", "why"),
    [
        (no_detections(SIZE, ()), "no network"),
        (found([MIDDLE], [0], names=("dog", "cat")), "does not know people"),
    ],
    ids=["no network", "other classes"],
)
def test_a_network_that_cannot_find_people_hides_the_whole_frame(detections: Detections, why: str) -> None:
    hide = PrivacyFilter()
    prototypes = np.random.default_rng(0).normal(size=(80, 80, 4)).astype(np.float32)
    before = result(detections, prototypes=prototypes)
    after = hide(before)
    assert why in hide.reason
    assert colours(after.frame.image) <= 32
    assert after.detections.crops is not None
    assert not after.detections.masks.any()
    assert after.inspection is not None
    assert len(np.unique(after.inspection.prototypes[..., 0])) <= 32


def test_the_reason_goes_once_people_can_be_found() -> None:
    hide = PrivacyFilter()
    hide(result(no_detections(SIZE, ())))
    before = result(no_detections(SIZE, NAMES))
    assert np.array_equal(hide(before).frame.image, before.frame.image)
    assert hide.reason == ""


def test_masks_in_the_result_and_in_json_are_the_blocks_that_are_seen() -> None:
    before = result(found([MIDDLE]))
    after = hidden(before)
    assert after.detections.crops is not None
    mask = after.detections.crops[0].paste(*SIZE)
    assert (changed(before, after) <= mask).all()
    assert not np.array_equal(mask, disc(MIDDLE).paste(*SIZE))
    side = 32  # the least power of two times the cell that is an eighth of the box
    blocks = mask[: 720 // side * side].reshape(720 // side, side, 1280 // side, side)
    assert (blocks.all(axis=(1, 3)) == blocks.any(axis=(1, 3))).all()
    (record,) = json.loads(json.dumps(frame_record(after)))["detections"]
    assert np.array_equal(coco_mask.decode(record["segmentation"]).astype(bool), mask)


def test_what_somebody_wears_has_no_shape_under_the_blocks() -> None:
    tie, dog = (590, 300, 610, 420), (660, 400, 1000, 600)
    after = hidden(result(found([MIDDLE, tie, dog], [0, 2, 1])))
    person, worn, beside = after.detections.masks
    assert not worn.any()
    assert not (beside & person).any()
    assert np.array_equal(beside, disc(dog).paste(*SIZE) & ~person)


def test_other_classes_are_not_hidden() -> None:
    before = result(found([MIDDLE], [1]))
    after = hidden(before)
    assert np.array_equal(after.frame.image, before.frame.image)
    assert after.detections is before.detections


def test_prototypes_are_pixelated_where_people_are_and_only_there() -> None:
    prototypes = np.random.default_rng(0).normal(size=(80, 80, 8)).astype(np.float32)
    after = hidden(result(found([MIDDLE, (20, 20, 60, 90)]), prototypes=prototypes))
    assert after.inspection is not None
    shown = after.inspection.prototypes
    for box in (MIDDLE, (24, 24, 56, 86)):
        x1, x2 = (round(x * 80 / 1280) for x in box[0::2])
        y1, y2 = (round(y * 80 / 720) for y in box[1::2])
        cells = shown[y1 + 1 : y2 - 1, x1:x2][len(range(y1, y2)) // 3 : -len(range(y1, y2)) // 3 or None]
        assert len(np.unique(cells[..., 0])) <= max(cells.shape[0] * cells.shape[1] / 4, 2)
    assert np.array_equal(shown[:, 60:], prototypes[:, 60:])
    assert (after.inspection.coefficients == [[0] * 8, [1] * 8]).all()


def test_prototypes_of_somebody_small_are_not_left_one_by_one() -> None:
    prototypes = np.random.default_rng(0).normal(size=(80, 80, 8)).astype(np.float32)
    after = hidden(result(found([(320, 360, 335, 400)]), prototypes=prototypes))
    assert after.inspection is not None
    hit = after.inspection.prototypes[..., 0] != prototypes[..., 0]
    assert hit[40:44, 20:21].all()
    assert len(np.unique(after.inspection.prototypes[hit])) <= 8 * hit.sum() / 3


def test_nothing_of_the_original_travels_on() -> None:
    before = dataclasses.replace(result(found([MIDDLE])), annotated=noise(seed=1))
    original = before.frame.image.copy()
    after = hidden(before)
    assert after.annotated is None
    assert not np.shares_memory(after.frame.image, before.frame.image)
    assert np.array_equal(before.frame.image, original)
    assert (
        hidden(dataclasses.replace(result(no_detections(SIZE, NAMES)), annotated=original)).annotated is None
    )


def test_a_box_that_is_no_number_hides_everything() -> None:
    before = result(found([MIDDLE], with_masks=False))
    before.detections.boxes[0, 2] = np.nan
    assert changed(before, hidden(before)).mean() > 0.999


def test_ten_thousand_pixels_wide_or_one_pixel_high_makes_no_difference() -> None:
    for size in ((1, 1), (1, 500), (300, 2), (7, 10_000)):
        before = result(found([(0, 0, size[1], size[0])], size=size))
        assert hidden(before).frame.image.shape == (*size, 3)
