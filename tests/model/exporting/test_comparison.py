"""Detections of two models: paired, measured, and held against a tolerance."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from model.detections import Detections, MaskCrop, no_detections
from model.errors import ConfigError
from model.exporting.comparison import TOLERANCES, Agreement, compare, summarise

HEIGHT, WIDTH = 100, 200
Box = tuple[int, int, int, int]


def detections(*found: tuple[Box, float], kind: int = 0, masks: bool = True) -> Detections:
    boxes = np.array([box for box, _ in found], np.float32).reshape(-1, 4)
    scores = np.array([score for _, score in found], np.float32)
    crops = tuple(MaskCrop(x1, y1, np.ones((y2 - y1, x2 - x1), bool)) for (x1, y1, x2, y2), _ in found)
    return Detections(
        image_size=(HEIGHT, WIDTH),
        boxes=boxes,
        scores=scores,
        classes=np.full(len(found), kind),
        class_names=("cat", "dog"),
        crops=crops if masks else None,
        box_scores=scores,
    )


NOTHING = no_detections((HEIGHT, WIDTH), ("cat", "dog"))
LEFT: Box = (10, 10, 50, 90)
RIGHT: Box = (110, 20, 190, 80)


def agreement(reference: Detections, other: Detections, image_size: int = 100) -> Agreement:
    return summarise([compare(reference, other, image_size)])


def test_the_same_detections_agree_in_any_order():
    both = agreement(detections((LEFT, 0.9), (RIGHT, 0.8)), detections((RIGHT, 0.8), (LEFT, 0.9)))

    assert (both.detections, both.lost, both.invented, both.matched) == (2, 0, 0, 1)
    assert both.box_error_worst == both.score_error_mean == 0
    assert both.mask_iou_worst == both.mask_iou_mean == 1
    assert TOLERANCES["fp32"].faults(both) == []


def test_box_errors_are_in_pixels_of_the_input_and_relative_to_the_longer_side():
    moved = (14, 10, 50, 90)  # by 4 of 200 px, which is 2 of 100

    both = agreement(detections((LEFT, 0.9)), detections((moved, 0.9)))

    assert both.box_error_mean == both.box_error_worst == pytest.approx(2)
    assert both.relative_error_worst == pytest.approx(2 / 80)  # 80 of 100 px high
    assert both.mask_iou_mean == pytest.approx(36 / 40)


def test_a_score_that_crosses_the_threshold_is_no_loss():
    both = agreement(detections((LEFT, 0.31), (RIGHT, 0.2)), detections((LEFT, 0.29), (RIGHT, 0.35)))

    assert (both.detections, both.lost, both.invented, both.matched) == (1, 0, 0, 1)
    assert both.shown == 0  # for no one sees both of any
    assert "shown by both: 0, expected at least 0.85" in TOLERANCES["int8"].faults(both)


def test_each_class_has_its_own_threshold():
    cats, dogs = (detections((LEFT, 0.25), kind=kind) for kind in (0, 1))

    of_cats, of_dogs = (summarise([compare(d, d, 100, thresholds=(0.2, 0.4))]) for d in (cats, dogs))

    assert (of_cats.detections, of_cats.shown) == (1, 1)
    assert (of_dogs.detections, of_dogs.shown) == (0, None)


def test_scores_that_all_move_one_way_are_told_from_those_that_move_both_ways():
    before = detections((LEFT, 0.8), (RIGHT, 0.6))

    lower = agreement(before, detections((LEFT, 0.78), (RIGHT, 0.58)))
    apart = agreement(before, detections((LEFT, 0.78), (RIGHT, 0.62)))

    assert [lower.score_error_mean, apart.score_error_mean] == pytest.approx([0.02, 0.02], rel=1e-4)
    assert lower.score_shift == pytest.approx(-0.02, rel=1e-4)
    assert apart.score_shift == pytest.approx(0, abs=1e-6)
    assert TOLERANCES["int8"].faults(lower) == ["mean shift of scores: 0.02, expected at most 0.01"]
    assert TOLERANCES["int8"].faults(apart) == []


def test_what_scores_less_than_half_of_the_threshold_is_nobodys_partner():
    both = agreement(detections((LEFT, 0.31), (RIGHT, 0.1)), detections((LEFT, 0.14), (RIGHT, 0.1)))

    assert (both.detections, both.lost, both.invented) == (1, 1, 0)
    assert both.score_error_mean is None


def test_what_only_one_of_them_sees_is_lost_or_invented():
    both = agreement(detections((LEFT, 0.9)), detections((RIGHT, 0.9)))

    assert (both.lost, both.invented, both.matched) == (1, 1, 0)
    assert both.box_error_mean is None
    assert TOLERANCES["int8"].faults(both) == [
        "matched detections: 0, expected at least 0.9",
        "shown by both: 0, expected at least 0.85",
    ]


def test_a_box_that_the_edge_has_cut_off_has_a_partner_too():
    edge = (200, 10, 200, 90)

    both = agreement(detections((edge, 0.9)), detections((edge, 0.9)))

    assert both.matched == both.mask_iou_mean == 1
    assert both.relative_error_worst == 0


def test_another_class_is_another_object():
    both = agreement(detections((LEFT, 0.9)), detections((LEFT, 0.9), kind=1))

    assert (both.lost, both.invented) == (1, 1)


def test_a_detection_is_the_partner_of_one_alone():
    near = (11, 10, 50, 90)

    both = agreement(detections((LEFT, 0.9), (near, 0.8)), detections((near, 0.8)))

    assert (both.lost, both.invented) == (1, 0)
    assert both.box_error_worst == 0


def test_the_worst_image_is_the_one_with_the_lowest_mean():
    same = compare(detections((LEFT, 0.9)), detections((LEFT, 0.9)), 100)
    half = compare(detections((LEFT, 0.9)), detections(((10, 10, 50, 60), 0.9)), 100)
    empty = compare(NOTHING, NOTHING, 100)

    both = summarise([same, half, empty])

    assert both.images == 3
    assert both.mask_iou_worst == pytest.approx(50 / 80)
    assert both.mask_iou_mean == pytest.approx((1 + 50 / 80) / 2)


def test_boxes_alone_have_no_masks_to_compare():
    both = agreement(detections((LEFT, 0.9), masks=False), detections((LEFT, 0.9), masks=False))

    assert both.mask_iou_mean is None
    assert TOLERANCES["fp32"].faults(both) == []


def test_nothing_detected_proves_nothing():
    both = agreement(NOTHING, NOTHING)

    assert both.matched is None
    assert "proves nothing" in TOLERANCES["int8"].faults(both)[0]


def test_each_figure_out_of_tolerance_is_named():
    perfect = agreement(detections((LEFT, 0.9)), detections((LEFT, 0.9)))
    bad = dataclasses.replace(
        perfect,
        matched=0.5,
        relative_error_mean=math.nan,
        mask_iou_mean=0.2,
        mask_iou_worst=0.1,
        shown=0.5,
        score_error_mean=0.5,
        score_shift=-0.5,
        box_ap_loss=0.3,
        mask_ap_loss=0.02,
    )

    faults = TOLERANCES["int8"].faults(bad)

    assert len(faults) == 9
    assert "loss of mask AP: 0.02, expected at most 0.01" in faults
    assert (
        TOLERANCES["int8"].changed({"ap_loss": 0.4}).faults(bad)[-1].startswith("mean shift of scores: 0.5")
    )


def test_an_unknown_tolerance_is_wrong_usage():
    with pytest.raises(ConfigError, match="'speed'; there are matched"):
        TOLERANCES["fp32"].changed({"speed": 1})
