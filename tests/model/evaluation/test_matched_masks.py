"""How well masks fit, on objects whose boxes are found."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from model.detections import Detections
from model.evaluation.coco_eval import coco_results, match_classes
from model.evaluation.matched_masks import MatchedMasks, boundary_iou, matched_masks
from tests.model.evaluation.test_operating_point import CAT, DOG, FAR, NAMES, found, labels


def band_slowly(mask: np.ndarray, width: int) -> np.ndarray:
    """The pixels of a mask with a pixel that is not of it at most `width` rows and columns away."""
    band = np.zeros_like(mask)
    framed = np.pad(mask, width)
    side = 2 * width + 1
    for y, x in zip(*np.nonzero(mask), strict=True):
        band[y, x] = not framed[y : y + side, x : x + side].all()
    return band


def test_boundary_iou_compares_the_pixels_near_the_outlines():
    draw = np.random.default_rng(0)
    one, other = np.zeros((2, 60, 80), bool)  # a diagonal of 100 px: bands of 2 px
    one[10:40, 20:60] = True
    other[14:60, 15:55] = True
    other ^= draw.random(other.shape) < 0.002
    a, b = band_slowly(one, 2), band_slowly(other, 2)
    assert boundary_iou(one, other) == (a & b).sum() / (a | b).sum()
    assert boundary_iou(one, one) == 1
    assert boundary_iou(one & ~one, one & ~one) == 1


def compared(truth_masks: bool, *detections: Detections) -> MatchedMasks | None:
    truth = labels([("cat", CAT), ("dog", DOG)], [], masks=truth_masks)
    classes = match_classes(truth, NAMES)
    pairs = [(10 * i, one) for i, one in enumerate(detections, start=1)]
    return matched_masks(truth, coco_results(truth, pairs, classes), classes)


def test_masks_are_compared_with_the_objects_that_their_boxes_match():
    half = (10, 10, 30, 50)  # of the cat
    cats = found(("cat", CAT, 0.9), ("cat", FAR, 0.8), ("cat", CAT, 0.3), mask=half)
    phantom = found(("dog", DOG, 0.9))
    fit = compared(True, cats, phantom)
    assert fit is not None
    assert fit.count == 1
    assert fit.iou == pytest.approx(0.5)
    # bands of 4 px: of 40 x 40 px 576, of 20 x 40 px 416; they share three sides of the half
    assert fit.boundary_iou == pytest.approx((416 - 32 * 4) / (576 + 32 * 4))


def test_without_pairs_there_is_no_mean_and_without_masks_nothing_at_all():
    assert compared(True, found(("dog", FAR, 0.9))) == MatchedMasks(0, None, None)
    assert compared(False, found(("dog", DOG, 0.9))) is None
    boxes_alone = dataclasses.replace(found(("dog", DOG, 0.9)), crops=None)
    assert compared(True, boxes_alone) is None
