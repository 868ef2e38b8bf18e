"""What detections over a threshold are worth, on scenes that are small enough to count by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools.coco import COCO

from model.detections import Detections, MaskCrop
from model.evaluation.coco_eval import coco_results, match_classes
from model.evaluation.ground_truth import indexed
from model.evaluation.operating_point import operating_point, reliability
from model.evaluation.scored_matches import ScoredMatches, scored_matches

HEIGHT, WIDTH = 90, 160
NAMES = ("cat", "dog")
IDS = {"cat": 18, "dog": 7}
Box = tuple[int, int, int, int]
CAT, DOG, FAR = (10, 10, 50, 50), (60, 20, 110, 80), (0, 60, 20, 80)


def labels(
    *images: list[tuple[str, Box]], coverage: tuple[str, ...] = (), crowd: bool = False, masks: bool = True
) -> COCO:
    """One image a list of (class, x1 y1 x2 y2); each object fills its box. Image ids are 10, 20, …"""
    annotations = [
        {
            "id": number,
            "image_id": image,
            "category_id": IDS[name],
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "area": (x2 - x1) * (y2 - y1),
            "segmentation": [[x1, y1, x2, y1, x2, y2, x1, y2]] if masks else [],
            "iscrowd": int(crowd),
        }
        for number, (image, name, (x1, y1, x2, y2)) in enumerate(
            ((10 * i, *found) for i, objects in enumerate(images, start=1) for found in objects), start=1
        )
    ]
    size = {"width": WIDTH, "height": HEIGHT}
    records = [{"id": 10 * i, "file_name": f"{i}.png", **size} for i in range(1, len(images) + 1)]
    for record, text in zip(records, coverage, strict=False):
        record["coverage"] = text
    categories = [{"id": number, "name": name} for name, number in IDS.items()]
    return indexed({"images": records, "annotations": annotations, "categories": categories})


def found(*objects: tuple[str, Box, float], mask: Box | None = None, ranks: list[float] | None = None):
    """Detections whose masks fill their boxes, or are all `mask`; `ranks` are re-scored scores."""
    scores = np.array([score for *_, score in objects], np.float32)
    return Detections(
        image_size=(HEIGHT, WIDTH),
        boxes=np.array([box for _, box, _ in objects], np.float32).reshape(-1, 4),
        scores=scores if ranks is None else np.array(ranks, np.float32),
        classes=np.array([NAMES.index(name) for name, *_ in objects], np.int64),
        class_names=NAMES,
        crops=tuple(
            MaskCrop(x1, y1, np.ones((y2 - y1, x2 - x1), bool))
            for x1, y1, x2, y2 in (mask or box for _, box, _ in objects)
        ),
        box_scores=scores,
    )


def matched(truth: COCO, *detections: Detections) -> ScoredMatches:
    """The matches of detections in images 10, 20, …"""
    classes = match_classes(truth, NAMES)
    pairs = [(10 * i, one) for i, one in enumerate(detections, start=1)]
    return scored_matches(truth, coco_results(truth, pairs, classes), classes)


def test_matches_finds_and_phantoms_are_counted_for_each_class_and_all_together():
    truth = labels([("cat", CAT), ("dog", DOG)], [("dog", DOG)], [])
    detections = (
        found(("cat", CAT, 0.9), ("cat", FAR, 0.8), ("dog", DOG, 0.2)),
        found(("dog", DOG, 0.7), ("cat", FAR, 0.6)),
        found(("cat", CAT, 0.9), ("dog", DOG, 0.4)),
    )

    point = operating_point(matched(truth, *detections), [0.3, 0.5])

    cat, dog = point.per_class["cat"], point.per_class["dog"]
    assert (cat.threshold, cat.detections, cat.matches, cat.objects) == (0.3, 4, 1, 1)
    assert (cat.precision, cat.recall, cat.f1) == (0.25, 1.0, 0.4)
    assert (cat.without, cat.phantoms, cat.phantom_share) == (2, 2, 1.0)
    assert (dog.detections, dog.matches, dog.objects, dog.recall) == (1, 1, 2, 0.5)
    assert (dog.without, dog.phantoms, dog.phantom_share) == (1, 0, 0.0)
    together = point.all
    assert (together.threshold, together.detections, together.matches, together.objects) == (None, 5, 2, 3)
    assert (together.without, together.phantoms) == (
        3,
        2,
    )  # images, of which two show a cat that is not there
    assert point.kind == "mask"


def test_an_object_is_found_once_by_the_best_score_and_by_its_own_class_only():
    truth = labels([("cat", CAT)])

    matches = matched(truth, found(("cat", CAT, 0.5), ("cat", CAT, 0.9), ("dog", CAT, 0.95)))

    assert {(s, bool(h)) for s, h in zip(matches.scores.round(2), matches.hit, strict=True)} == {
        (0.5, False),
        (0.9, True),
        (0.95, False),
    }


def test_it_takes_half_of_the_union_of_the_masks_to_match():
    truth = labels([("cat", CAT)])  # 40 x 40 pixels

    def hit(width: int) -> bool:
        return bool(matched(truth, found(("cat", CAT, 0.9), mask=(10, 10, 10 + width, 50))).hit[0])

    assert hit(20)
    assert not hit(19)


def test_boxes_are_compared_where_an_object_has_no_mask():
    truth = labels([("cat", CAT)], masks=False)

    matches = matched(truth, found(("cat", CAT, 0.9), mask=(0, 0, 2, 2)))

    assert (matches.kind, matches.hit.tolist()) == ("box", [True])


def test_crowds_are_neither_found_nor_made_up():
    truth = labels([("cat", CAT)], [], crowd=True)

    point = operating_point(matched(truth, found(("cat", CAT, 0.9)), found()), [0.3, 0.3])

    cat = point.per_class["cat"]
    assert (cat.detections, cat.objects, cat.without, cat.phantoms) == (0, 0, 1, 0)
    assert (cat.precision, cat.recall) == (None, None)


def test_an_image_counts_for_the_classes_alone_that_are_labelled_in_it():
    truth = labels([("cat", CAT)], [("dog", DOG)], [("dog", DOG)], coverage=("all", "dog", "main dog"))
    everything = found(("cat", CAT, 0.9), ("dog", DOG, 0.9), ("dog", FAR, 0.9))

    point = operating_point(matched(truth, everything, everything, everything), [0.3, 0.3])

    assert (point.per_class["cat"].detections, point.per_class["cat"].without) == (1, 0)
    dog = point.per_class["dog"]
    assert (dog.detections, dog.matches, dog.objects) == (4, 1, 1)
    assert (dog.without, dog.phantoms) == (1, 1)
    assert (point.all.without, point.all.threshold) == (1, 0.3)


def test_a_threshold_is_compared_with_the_class_score_where_masks_are_ranked_by_another():
    truth = labels([("cat", CAT)])
    # the worse class score has the better mask score; only the other one is shown
    detections = found(("cat", CAT, 0.1), ("cat", CAT, 0.5), ranks=[0.9, 0.2])

    cat = operating_point(matched(truth, detections), [0.3, 0.3]).per_class["cat"]

    assert (cat.detections, cat.matches) == (1, 1)


def test_what_does_not_exceed_the_threshold_changes_nothing():
    truth = labels([("cat", CAT), ("cat", DOG)], [("cat", FAR)])
    shown = [("cat", CAT, 0.9), ("cat", DOG, 0.5)]
    low = [("cat", CAT, 0.25), ("cat", DOG, 0.3), ("dog", FAR, 0.2)]

    with_low = operating_point(matched(truth, found(*shown, *low), found(*low)), [0.3, 0.3])
    without = operating_point(matched(truth, found(*shown), found()), [0.3, 0.3])

    assert with_low == without


def scored(scores: list[float], hit: list[bool]) -> ScoredMatches:
    truth = labels([("cat", CAT)])
    bare = matched(truth, found())
    columns: dict[str, NDArray] = {
        "scores": np.array(scores),
        "hit": np.array(hit),
        "classes": np.zeros(len(scores), np.int64),
        "images": np.zeros(len(scores), np.int64),
    }
    return dataclasses.replace(bare, **columns)


def test_reliability_is_the_gap_of_score_and_share_that_matches():
    matches = scored([0.85, 0.87, 0.12, 0.18, 1.0, 0.01], [True, False, False, False, True, False])

    told = reliability(matches)

    assert told.detections == 5  # 0.01 is nobody's business
    assert [b.detections for b in told.bins] == [0, 2, 0, 0, 0, 0, 0, 0, 2, 1]
    assert (told.bins[8].score, told.bins[8].match) == (pytest.approx(0.86), 0.5)
    assert (told.bins[0].score, told.bins[0].match) == (None, None)
    assert told.expected_error == pytest.approx((2 * 0.36 + 2 * 0.15 + 0) / 5)


def test_without_detections_there_is_no_error_to_tell():
    assert reliability(scored([], [])).expected_error is None
