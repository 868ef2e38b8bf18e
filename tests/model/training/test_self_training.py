"""Masks inside labelled boxes: where the network agrees with the box, and nowhere else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from model.detections import MaskCrop
from model.training.self_training import hold_many, masks_for_boxes
from tests.sees_red import KNOWN_CLASS, predictor_that_sees_red

HEIGHT, WIDTH = 200, 300
RED, GREY = (30, 30, 220), (120, 120, 120)


def picture(*discs: tuple[int, int, int]) -> NDArray[np.uint8]:
    """A grey frame with red discs of (x, y, radius) in pixels."""
    frame = np.full((HEIGHT, WIDTH, 3), GREY, np.uint8)
    for x, y, radius in discs:
        cv2.circle(frame, (x, y), radius, RED, -1)
    return frame


def around(*discs: tuple[int, int, int]) -> NDArray[np.float64]:
    boxes = [(x - r, y - r, x + r + 1, y + r + 1) for x, y, r in discs]
    return np.array(boxes, np.float64).clip(0, (WIDTH, HEIGHT, WIDTH, HEIGHT))


def found(
    frame: NDArray[np.uint8], boxes: NDArray[np.float64], index: int = KNOWN_CLASS, anchors: bool = True
) -> list[MaskCrop | None]:
    return masks_for_boxes(frame, boxes, [index] * len(boxes), predictor_that_sees_red(anchors))


@pytest.mark.parametrize("anchors", [True, False])
@pytest.mark.parametrize("disc", [(150, 100, 60), (40, 160, 8), (5, 4, 20), (290, 190, 25), (5, 100, 40)])
def test_the_mask_is_the_object_in_its_box_however_large_and_wherever(
    disc: tuple[int, int, int], anchors: bool
):
    frame = picture(disc)
    truth = frame[..., 2] == RED[2]

    (mask,) = found(frame, around(disc), anchors=anchors)

    assert mask is not None
    pasted = mask.paste(HEIGHT, WIDTH)
    assert (pasted & truth).sum() / (pasted | truth).sum() > 0.85


def test_each_box_has_the_mask_of_its_own_object():
    discs = (60, 100, 30), (220, 60, 20)

    masks = found(picture(*discs), around(*discs))

    for mask, (x, y, radius) in zip(masks, discs, strict=True):
        assert mask is not None
        rows, columns = np.nonzero(mask.paste(HEIGHT, WIDTH))
        assert abs(columns.mean() - x) < 2
        assert abs(rows.mean() - y) < 2
        assert columns.max() - columns.min() <= 2 * radius + 1


def test_nothing_of_the_mask_lies_outside_the_box():
    frame = picture((100, 100, 40), (100, 60, 8))  # red reaches beyond the box

    (mask,) = found(frame, around((100, 100, 36)))

    assert mask is not None
    rows, columns = np.nonzero(mask.paste(HEIGHT, WIDTH))
    assert (columns.min(), rows.min()) >= (64, 64)
    assert max(columns.max(), rows.max()) < 137


def test_a_mask_that_does_not_reach_the_edges_of_the_box_is_not_believed():
    assert found(picture((150, 100, 20)), around((150, 100, 40))) == [None]


def test_agreement_says_how_much_is_enough():
    frame, boxes = picture((150, 100, 20)), around((150, 100, 26))

    strict, lax = (
        masks_for_boxes(frame, boxes, [KNOWN_CLASS], predictor_that_sees_red(), agreement)[0]
        for agreement in (0.8, 0.4)
    )

    assert strict is None
    assert lax is not None


@pytest.mark.parametrize(
    ("frame", "box", "index"),
    [
        (picture(), (100, 80, 160, 140), KNOWN_CLASS),
        (picture((130, 110, 30)), (100, 80, 161, 141), KNOWN_CLASS + 1),
        (picture((130, 110, 30)), (100, 80, 161, 84), KNOWN_CLASS),
    ],
    ids=["nothing there", "something of another class", "a box that is too thin"],
)
def test_where_the_network_finds_no_such_object_there_is_no_mask(
    frame: NDArray[np.uint8], box: tuple[float, ...], index: int
):
    assert found(frame, np.array([box], np.float64), index) == [None]


def test_a_box_around_many_others_gets_none():
    discs = tuple((60 + 60 * i, 100, 20) for i in range(4))
    boxes = np.concatenate([around(*discs), [[30, 70, 270, 130]]])

    masks = found(picture(*discs), boxes)

    assert [mask is None for mask in masks] == [False, False, False, False, True]


def test_two_others_are_not_many():
    child = [10, 10, 20, 20], [30, 10, 40, 20]
    assert not hold_many(np.array([[0, 0, 100, 100], *child], np.float64)).any()
    assert hold_many(np.array([[0, 0, 100, 100], *child, [50, 50, 60, 60]], np.float64)).tolist() == [
        True, False, False, False,
    ]  # fmt: skip


def test_no_boxes_no_masks():
    assert found(picture(), np.zeros((0, 4))) == []
