"""Mosaic and copy-paste: what is seen and what is said about it stay the same."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from model.training.data.augment import AUGMENTATIONS
from model.training.data.compose import common_labelled, join_cells, mosaic_cells, paste, turned
from model.training.data.scene import Scene, mask_extents
from tests.tiny_data import COLOURS, Block, draw_blocks

CONFIG = replace(AUGMENTATIONS["compact"], min_visible=0.2, large_enough=1.0, min_object_side=2.0)


def scene(
    width: int,
    height: int,
    blocks: Sequence[Block],
    crowd: bool = False,
    has_mask: bool = True,
    labelled: frozenset[int] | None = None,
    exhaustive: bool = True,
) -> Scene:
    masks = torch.zeros(len(blocks), height, width, dtype=torch.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, blocks, strict=True):
        mask[y1:y2, x1:x2] = has_mask
    return Scene(
        image=torch.from_numpy(draw_blocks(width, height, blocks)).permute(2, 0, 1),
        boxes=torch.tensor(blocks, dtype=torch.float32).reshape(-1, 4),
        classes=torch.arange(len(blocks)),
        masks=masks,
        crowd=torch.full((len(blocks),), crowd),
        has_mask=torch.full((len(blocks),), has_mask),
        labelled=labelled,
        exhaustive=exhaustive,
    )


def test_the_cells_of_a_mosaic_cover_the_picture_once():
    covered = torch.zeros(50, 50)
    for cell in mosaic_cells(50, 20, 33):
        covered[cell.y : cell.y + cell.height, cell.x : cell.x + cell.width] += 1

    assert (covered == 1).all()


def test_a_mosaic_moves_masks_and_boxes_with_the_pixels():
    cells = mosaic_cells(60, 24, 30)
    blocks: list[list[Block]] = [[(2, 3, 12, 20)], [], [(0, 0, 24, 30), (4, 4, 9, 9)], [(10, 10, 36, 30)]]
    scenes = [scene(c.width, c.height, b) for c, b in zip(cells, blocks, strict=True)]

    joined = join_cells(scenes, cells, 60)

    assert joined.boxes.tolist() == [[2, 3, 12, 20], [0, 30, 24, 60], [4, 34, 9, 39], [34, 40, 60, 60]]
    assert torch.equal(mask_extents(joined.masks)[0], joined.boxes)
    red = (joined.image == torch.tensor(COLOURS[0])[:, None, None]).all(dim=0)
    first_of_each = joined.masks[[0, 1, 3]].amax(dim=0).bool() & ~joined.masks[2].bool()
    assert torch.equal(red, first_of_each)


def test_a_mosaic_claims_no_more_than_each_of_its_images():
    cells = mosaic_cells(20, 10, 10)
    known = [frozenset({0, 1}), None, frozenset({1, 2}), None]
    scenes = [scene(10, 10, [], labelled=labelled, exhaustive=n != 2) for n, labelled in enumerate(known)]

    joined = join_cells(scenes, cells, 20)

    assert joined.labelled == frozenset({1})
    assert joined.exhaustive is False
    assert common_labelled([None, None]) is None


def test_a_pasted_object_hides_what_lies_under_it():
    below = scene(40, 40, [(5, 5, 25, 25)])
    donor = scene(40, 40, [(15, 0, 40, 40)])

    pasted = paste(below, donor, CONFIG)

    assert pasted.boxes.tolist() == [[5, 5, 16, 25], [15, 0, 40, 40]]  # a side moves to within a pixel
    assert (pasted.masks.sum(dim=0) <= 1).all()
    assert pasted.masks[0].sum() == 10 * 20
    assert pasted.image[:, 20, 30].tolist() == list(COLOURS[0])
    assert torch.equal(pasted.image[:, :, :14], below.image[:, :, :14])
    assert pasted.classes.tolist() == [0, 0]


def test_the_scene_below_is_left_as_it_was():
    below = scene(40, 40, [(5, 5, 25, 25)])
    image, masks = below.image.clone(), below.masks.clone()

    paste(below, scene(40, 40, [(15, 0, 40, 40)]), CONFIG)

    assert torch.equal(below.image, image)
    assert torch.equal(below.masks, masks)


@pytest.mark.parametrize(("hidden_until", "stays"), [(20, True), (22, False)])
def test_an_object_nearly_hidden_is_dropped(hidden_until: int, stays: bool):
    below = scene(40, 40, [(5, 5, 25, 25)])

    pasted = paste(below, scene(40, 40, [(0, 0, hidden_until, 40)]), CONFIG)

    assert len(pasted) == 1 + stays


def test_an_object_of_which_much_is_left_in_pixels_stays():
    below = scene(40, 40, [(0, 0, 40, 40)])
    donor = scene(40, 40, [(0, 0, 36, 40)])

    assert len(paste(below, donor, CONFIG)) == 1
    assert len(paste(below, donor, replace(CONFIG, large_enough=0.05))) == 2


@pytest.mark.parametrize(("hidden_until", "stays"), [(14, True), (17, False)])
def test_an_object_with_only_a_box_is_dropped_when_mostly_pasted_over(hidden_until: int, stays: bool):
    below = scene(40, 40, [(5, 5, 25, 25)], has_mask=False)

    pasted = paste(below, scene(40, 40, [(0, 0, hidden_until, 40)]), CONFIG)

    assert len(pasted) == 1 + stays
    if stays:
        assert pasted.boxes[0].tolist() == [5, 5, 25, 25]
        assert pasted.has_mask.tolist() == [False, True]


def test_a_crowd_stays_as_long_as_a_pixel_of_it_is_seen():
    below = scene(40, 40, [(5, 5, 25, 25)], crowd=True)

    assert paste(below, scene(40, 40, [(0, 0, 23, 40)]), CONFIG).crowd.tolist() == [True, False]
    assert paste(below, scene(40, 40, [(0, 0, 25, 40)]), CONFIG).crowd.tolist() == [False]


def test_pasting_nothing_changes_nothing():
    below = scene(40, 40, [(5, 5, 25, 25)])

    assert paste(below, scene(40, 40, []), CONFIG) is below


def test_an_object_at_the_corner_of_one_pixel_can_be_pasted():
    pasted = paste(scene(8, 8, []), scene(8, 8, [(7, 7, 8, 8)]), CONFIG)

    assert pasted.masks.sum() == 1


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_masks_and_boxes_turn_with_the_pixels(quarters: int):
    before = scene(40, 40, [(2, 3, 12, 20), (25, 8, 38, 14)])

    after = turned(before, quarters)

    assert torch.equal(mask_extents(after.masks)[0], after.boxes)
    for mask, colour in zip(after.masks, COLOURS, strict=False):
        assert torch.equal((after.image == torch.tensor(colour)[:, None, None]).all(dim=0), mask.bool())
    back = turned(after, 4 - quarters)
    assert torch.equal(back.image, before.image)
    assert torch.equal(back.boxes, before.boxes)
    assert not torch.equal(after.image, before.image)


def test_a_quarter_turns_anticlockwise():
    right_edge = scene(40, 40, [(30, 15, 40, 25)])
    assert turned(right_edge, 1).boxes.tolist() == [[15, 0, 25, 10]]
