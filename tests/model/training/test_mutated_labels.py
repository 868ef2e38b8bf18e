"""Labels in which anything may stand anywhere: both readers refuse them in words or get by."""

import contextlib
import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from model.detections import no_detections
from model.errors import ConfigError, DataError
from model.evaluation.coco_eval import coco_metrics
from model.evaluation.ground_truth import load_ground_truth
from model.training.data.data_formats import load_annotations
from tests.tiny_data import coco_json

VALUES: tuple[Any, ...] = (
    *(None, True, -5, 0, 7, 300, 10**12, 10**400, -1.5, float("nan"), float("inf"), "x", "", "1234"),
    *([], [1], [None], [[1, 2]], ["person"], [[float("nan")] * 6], [[1e300] * 8], [[10**400] * 6]),
    *({}, {"a": 1}, {"size": 5}, {"size": [48, 64], "counts": [1]}, {"size": None, "counts": "x"}),
    *({"size": [48.0, 64.0], "counts": [48 * 64]}, "a/b", "x" * 5000, "nul\0"),
)
KEYS = {
    "images": ("id", "file_name", "width", "height", "coverage", "source"),
    "annotations": ("id", "image_id", "category_id", "bbox", "segmentation", "iscrowd", "area"),
    "categories": ("id", "name"),
}
PLACES = [(kind, key) for kind, keys in KEYS.items() for key in keys]


@pytest.mark.parametrize(("kind", "key"), PLACES)
def test_no_value_in_any_place_of_the_labels_trips_a_reader(tmp_path: Path, kind: str, key: str):
    path = coco_json(tmp_path, {"a.png": [(10, 8, 30, 40)], "b.png": [(1, 2, 9, 9)]})
    good = json.loads(path.read_text())
    rng = random.Random(f"{kind} {key}")
    for value in VALUES:
        data = copy.deepcopy(good)
        data[kind][0][key] = value
        other_kind, other_key = rng.choice(PLACES)
        if rng.random() < 0.3:
            data[other_kind][-1][other_key] = rng.choice(VALUES)
        path.write_text(json.dumps(data))
        with contextlib.suppress(DataError, ConfigError):
            _measure(path)
        with contextlib.suppress(DataError, ConfigError):
            load_annotations(path, ["person"])


def _measure(path: Path) -> None:
    truth = load_ground_truth(path)
    images = truth.dataset["images"]
    nothing = ((i["id"], no_detections((i["height"], i["width"]), ("person",))) for i in images)
    coco_metrics(truth, nothing, ["person"])
