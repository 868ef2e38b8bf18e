"""Average recall of proposals against pycocotools' own numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from model.detections import Detections, MaskCrop, no_detections
from model.errors import DataError
from model.evaluation.proposal_eval import COUNTS, proposal_recall

SIDE = 200
NAMES = ("object",)


def truth(blocks: dict[int, list[tuple[int, int, int, int]]]) -> COCO:
    coco = COCO()
    annotations: list[dict[str, Any]] = []
    for image, of_image in blocks.items():
        for n, (x, y, w, h) in enumerate(of_image):
            outline = [x, y, x + w, y, x + w, y + h, x, y + h]
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": image, "category_id": n % 3 + 1, "iscrowd": 0,
                    "bbox": [x, y, w, h], "area": w * h, "segmentation": [[float(v) for v in outline]],
                }
            )  # fmt: skip
    coco.dataset = {
        "images": [{"id": image, "width": SIDE, "height": SIDE} for image in blocks],
        "annotations": annotations,
        "categories": [{"id": n, "name": str(n)} for n in (1, 2, 3)],
    }
    coco.createIndex()
    return coco


def proposals(blocks: list[tuple[int, int, int, int]]) -> Detections:
    scores = np.linspace(0.9, 0.1, len(blocks), dtype=np.float32)
    return Detections(
        (SIDE, SIDE),
        np.array([[x, y, x + w, y + h] for x, y, w, h in blocks], np.float32).reshape(-1, 4),
        scores,
        np.zeros(len(blocks), np.int64),
        NAMES,
        tuple(MaskCrop(x, y, np.ones((h, w), bool)) for x, y, w, h in blocks),
        scores,
    )


def scattered(seed: int, count: int) -> list[tuple[int, int, int, int]]:
    rng = np.random.default_rng(seed)
    corners, sides = rng.integers(0, 100, (count, 2)), rng.integers(8, 100, (count, 2))
    return [(int(x), int(y), int(w), int(h)) for (x, y), (w, h) in zip(corners, sides, strict=True)]


def reference(coco: COCO, found: dict[int, Detections], kind: str) -> np.ndarray:
    """Average recall by COCOeval itself: [areas, counts]."""
    entries = [e | {"image_id": i, "category_id": 1} for i, d in found.items() for e in d.to_coco()]
    evaluator = COCOeval(coco, coco.loadRes(entries), kind)
    evaluator.params.useCats = 0
    evaluator.params.maxDets = list(COUNTS)
    evaluator.evaluate()
    evaluator.accumulate()
    return evaluator.eval["recall"][:, 0].mean(0)


def test_recall_is_that_of_pycocotools():
    objects = {1: scattered(1, 9), 2: scattered(2, 5), 3: []}
    found = {1: proposals(scattered(1, 9)[::2] + scattered(7, 40)), 2: proposals(scattered(8, 60))}

    figures = proposal_recall(truth(objects), found.items())

    for measured, kind in ((figures.boxes, "bbox"), (figures.masks, "segm")):
        expected = reference(truth(objects), found, kind)
        assert [measured.at[count] for count in COUNTS] == pytest.approx(expected[0])
        sizes = [measured.by_size[size] for size in ("small", "medium", "large")]
        assert sizes == pytest.approx([None if v < 0 else v for v in expected[1:, -1]])
    assert (figures.images, figures.objects) == (3, 14)


def test_classes_do_not_count_and_a_perfect_set_recalls_everything():
    objects = {1: [(10, 10, 50, 40), (70, 20, 30, 90), (110, 110, 60, 60)]}

    figures = proposal_recall(truth(objects), [(1, proposals(objects[1]))])

    assert figures.masks.at == {10: 1, 100: 1, 1000: 1}
    assert 0.5 < (figures.masks.auc or 0) < 1  # with one proposal there is one object of three


def test_the_area_is_taken_on_a_logarithmic_axis():
    object_last = [(150, 150, 40, 40)] * 9 + [(10, 10, 50, 40)]

    figures = proposal_recall(truth({1: [(10, 10, 50, 40)]}), [(1, proposals(object_last))])

    assert figures.masks.at[10] == 1
    assert figures.masks.auc == pytest.approx(2 / 3, abs=0.03)  # found from the tenth on, of three decades


def test_intervals_hold_the_figure_and_come_from_a_seed():
    objects = {n: scattered(n, 4) for n in range(1, 9)}
    found = [(n, proposals(scattered(n, 4)[:2] + scattered(50 + n, 20))) for n in objects]

    first, again = (proposal_recall(truth(objects), found, resamples=200) for _ in range(2))

    interval = first.masks.intervals[100]
    assert interval == again.masks.intervals[100]
    assert interval.low < (first.masks.at[100] or 0) < interval.high


def test_without_objects_or_proposals_there_is_a_figure_or_none():
    nothing = proposal_recall(truth({1: []}), [(1, proposals([(0, 0, 9, 9)]))])
    missed = proposal_recall(truth({1: [(1, 1, 50, 50)]}), [(1, no_detections((SIDE, SIDE), NAMES))])

    assert nothing.masks.at[10] is None
    assert nothing.masks.auc is None
    assert missed.masks.at == {10: 0, 100: 0, 1000: 0}


def test_an_image_that_is_not_in_the_data_set_is_refused():
    with pytest.raises(DataError, match="no image 7"):
        proposal_recall(truth({1: []}), [(7, proposals([(0, 0, 9, 9)]))])
