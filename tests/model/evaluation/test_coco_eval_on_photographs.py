"""The evaluation on real labels: overlapping people, crowds, objects of many parts and of a few pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pycocotools import mask as run_lengths
from pycocotools.coco import COCO

from model.detections import Detections, MaskCrop
from model.evaluation.coco_eval import coco_metrics
from model.evaluation.ground_truth import load_ground_truth, select_images
from tests.source_tree import ROOT

LABELS = ROOT.parent / "shared" / "data" / "people" / "val" / "val.json"
pytestmark = pytest.mark.skipif(not LABELS.is_file(), reason="the labelled photographs are not there")


def as_detections(truth: COCO, image: dict[str, Any], names: dict[int, str]) -> Detections:
    """The labels of an image as if they had been detected, all with the same score."""
    objects = [record for record in truth.imgToAnns[image["id"]] if not record["iscrowd"]]
    # read from run lengths by way of a copy: decode would take the pixels from a type of its own
    masks = [np.asarray(run_lengths.decode([truth.annToRLE(record)])[..., 0], bool) for record in objects]
    boxes = np.array([record["bbox"] for record in objects], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    scores = np.full(len(objects), 0.5, np.float32)
    classes = [list(names).index(record["category_id"]) for record in objects]
    return Detections(
        image_size=(image["height"], image["width"]),
        boxes=boxes,
        scores=scores,
        classes=np.array(classes, np.int64),
        class_names=tuple(names.values()),
        crops=tuple(MaskCrop(0, 0, mask) for mask in masks),
        box_scores=scores,
    )


# pycocotools decodes into an array type that NumPy 2 calls outdated
def test_labels_taken_for_detections_are_perfect_but_for_what_is_left_out():
    truth = load_ground_truth(LABELS)
    names = {category["id"]: category["name"] for category in truth.dataset["categories"]}
    images = truth.dataset["images"]

    def measured(every: int) -> Any:
        found = ((i["id"], as_detections(truth, i, names)) for i in images[::every])
        return coco_metrics(truth, found, list(names.values()), resamples=50)

    perfect, half = measured(every=1), measured(every=2)

    assert perfect.boxes.ap == perfect.masks.ap == pytest.approx(1)
    assert perfect.masks.ar_small == pytest.approx(1)
    assert 0.2 < half.masks.ap50 < 0.8
    assert half.masks.ap50_interval.low < half.masks.ap50 < half.masks.ap50_interval.high


def test_the_photographs_of_each_origin_can_be_measured_apart():
    truth = load_ground_truth(LABELS)

    assert len(select_images(truth, source=["COCO val2017"]).imgs) == 102
    assert len(select_images(truth, coverage=["main person"]).imgs) == 52
