"""Match detections of any score with labelled objects, to choose thresholds and measure reliability.

A detection matches an object of its class from an IoU of 0.5 on, each object once, the best score first.
Matches over a threshold do not depend on the detections below it. Crowds are neutral, as in COCO.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from model.evaluation.coco_eval import ClassMatch, CocoResults, loaded_results, objects_without_mask
from model.training.data.coco.entries import Record
from model.training.data.coverage import stated_coverage

MATCH_IOU = 0.5


@dataclass(frozen=True, eq=False)
class ScoredMatches:
    """D detections of C classes in I images, and the labelled objects.

    Where an image is not labelled in full for a class, neither detections nor objects of it are counted.

    kind:    masks or boxes were compared with the labels
    scores:  [D] float64, the class probability
    classes: [D] int, index into `names`
    images:  [D] int, index of the image
    hit:     [D] bool, True if the detection matches an object
    objects: [C] int, labelled objects without crowds
    empty:   [C, I] bool, True if the image is labelled in full for the class and shows none of it
    covered: [C, I] bool, True if the image is labelled in full for the class
    """

    kind: Literal["mask", "box"]
    names: tuple[str, ...]
    scores: NDArray[np.float64]
    classes: NDArray[np.int64]
    images: NDArray[np.int64]
    hit: NDArray[np.bool_]
    objects: NDArray[np.int64]
    empty: NDArray[np.bool_]
    covered: NDArray[np.bool_]

    def select(self, which: NDArray[np.bool_]) -> ScoredMatches:
        """Return a copy with the detections where `which` [D] is True."""
        columns = ("scores", "classes", "images", "hit")
        return dataclasses.replace(self, **{key: getattr(self, key)[which] for key in columns})

    def with_scores(self, scores: NDArray[np.float64]) -> ScoredMatches:
        """Return a copy with other scores, [D], of the same ranking."""
        return dataclasses.replace(self, scores=scores)


def scored_matches(ground_truth: COCO, results: CocoResults, classes: ClassMatch) -> ScoredMatches:
    """Match every detection of the matched classes, by masks where detections and labels have them."""
    kind: Literal["mask", "box"] = "mask"
    records = results.masks
    if records is None or objects_without_mask(ground_truth, classes):
        kind, records = "box", results.boxes
    # thresholds are compared with the class probability, also where masks are ranked by another score
    ranked = [{**record, "score": box["score"]} for record, box in zip(records, results.boxes, strict=True)]
    evaluator = evaluated(ground_truth, ranked, kind, classes)
    covered, objects, empty = _labels(ground_truth, classes)
    columns = _columns(evaluator, classes, covered)
    return ScoredMatches(kind, tuple(classes.category_ids), *columns, objects, empty, covered)


def evaluated(
    ground_truth: COCO, records: Sequence[Record], kind: Literal["mask", "box"], classes: ClassMatch
) -> COCOeval:
    """Return COCO's matches of detections and objects, of any size, at `MATCH_IOU`: its `evalImgs`."""
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator = COCOeval(
            ground_truth, loaded_results(ground_truth, records), {"mask": "segm", "box": "bbox"}[kind]
        )
        evaluator.params.catIds = sorted(classes.category_ids.values())
        evaluator.params.iouThrs = np.array([MATCH_IOU])
        evaluator.params.areaRng = evaluator.params.areaRng[:1]
        evaluator.params.areaRngLbl = evaluator.params.areaRngLbl[:1]
        evaluator.evaluate()
    return evaluator


def _columns(
    evaluator: COCOeval, classes: ClassMatch, covered: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return score, class, image and hit of each detection that counts."""
    index_of = {category: i for i, category in enumerate(classes.category_ids.values())}
    place_of = {image["id"]: i for i, image in enumerate(evaluator.cocoGt.dataset["images"])}
    rows: list[tuple[float, int, int, bool]] = []
    for found in evaluator.evalImgs:
        if found is None:
            continue
        c, i = index_of[found["category_id"]], place_of[found["image_id"]]
        if not covered[c, i]:
            continue
        single = zip(found["dtScores"], found["dtMatches"][0], found["dtIgnore"][0], strict=True)
        rows += [(score, c, i, match > 0) for score, match, neutral in single if not neutral]
    scores, of_class, of_image, hit = zip(*rows, strict=True) if rows else ((), (), (), ())
    return (
        np.array(scores, np.float64),
        np.array(of_class, np.int64),
        np.array(of_image, np.int64),
        np.array(hit, bool),
    )


def _labels(
    ground_truth: COCO, classes: ClassMatch
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.bool_]]:
    """Return `covered`, `objects` and `empty` of `ScoredMatches`."""
    images = ground_truth.dataset["images"]
    stated = [stated_coverage(image.get("coverage")) for image in images]
    covered = np.array(
        [
            [s.names is None or (s.exhaustive and name in s.names) for s in stated]
            for name in classes.category_ids
        ]
    )
    index_of = {category: c for c, category in enumerate(classes.category_ids.values())}
    place_of = {image["id"]: i for i, image in enumerate(images)}
    shows = np.zeros_like(covered)
    single = np.zeros(covered.shape, np.int64)
    for record in ground_truth.dataset["annotations"]:
        c = index_of.get(record["category_id"])
        if c is not None:
            i = place_of[record["image_id"]]
            shows[c, i] = True
            single[c, i] += not record["iscrowd"]
    return covered, (single * covered).sum(axis=1), covered & ~shows
