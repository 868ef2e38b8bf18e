#!/usr/bin/env bash
# pycocotools stores the id of the object that a detection matches, and takes 0 for none: in labels whose annotations
# count from 0, the first object is never found, whatever is detected. Exit 0 while it is so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pycocotools==2.0.11 numpy==2.2.6
"$folder/venv/bin/python" - <<'PYTHON'
import contextlib
import importlib.metadata
import io
import sys

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

BOXES = ([10, 10, 20, 20], [40, 10, 20, 20])


def average_precision(first: int) -> float:
    """Of detections that are the labelled boxes, where annotations count from `first`."""
    truth = COCO()
    truth.dataset = {
        "info": {},
        "images": [{"id": 1, "width": 64, "height": 64}],
        "categories": [{"id": 1, "name": "thing"}],
        "annotations": [
            {"id": n, "image_id": 1, "category_id": 1, "bbox": box, "area": 400, "iscrowd": 0}
            for n, box in enumerate(BOXES, first)
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        found = truth.loadRes([{"image_id": 1, "category_id": 1, "bbox": box, "score": 0.9} for box in BOXES])
        judge = COCOeval(truth, found, "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return float(judge.stats[0])


print("pycocotools", importlib.metadata.version("pycocotools"))
from_1, from_0 = average_precision(1), average_precision(0)
print(f"AP of the labels themselves: {from_1:.3f} with ids from 1, {from_0:.3f} with ids from 0")
as_expected = from_1 > 0.999 and from_0 < 0.6
print("seen:", "as described" if as_expected else "another behaviour")
sys.exit(0 if as_expected else 1)
PYTHON
