"""Labels as tools really write them: one reader repairs what is certain and counts what it leaves out.

What is trained on and what is measured on come out alike.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from model.errors import DataError
from model.evaluation.ground_truth import load_ground_truth
from model.training.data.annotations import AnnotationSet
from model.training.data.data_formats import load_annotations
from model.training.data.held_out import as_ground_truth
from tests.tiny_data import annotation, coco_json, edit_json, polygon

BLOCK = (10, 8, 30, 40)
AREA = 20 * 32
Edit = Callable[[dict[str, Any]], Any]


def first(**changes: Any) -> Edit:
    """A change of the first annotation; None removes a key."""

    def edit(content: dict[str, Any]) -> None:
        content["annotations"][0].update(changes)
        for key in [key for key, value in changes.items() if value is None]:
            del content["annotations"][0][key]

    return edit


def every(list_name: str, **changes: Callable[[Any], Any]) -> Edit:
    """A change of these keys of all entries of a list."""

    def edit(content: dict[str, Any]) -> None:
        for entry in content[list_name]:
            entry.update({key: change(entry[key]) for key, change in changes.items()})

    return edit


def all_of(*edits: Edit) -> Edit:
    def edit(content: dict[str, Any]) -> None:
        for one in edits:
            one(content)

    return edit


def written(folder: Path, edit: Edit) -> Path:
    return edit_json(coco_json(folder, {"a.png": [BLOCK, (40, 0, 64, 48)], "b.png": []}), edit)


def block_code(kind: str) -> dict[str, Any]:
    mask = np.zeros((48, 64), np.uint8)
    mask[8:40, 10:30] = 1
    code = coco_mask.encode(np.asfortranarray(mask))["counts"]
    return {"size": [48, 64], "counts": str(code) if kind == "bytes" else code.decode()}


def plain_counts(number: Callable[[int], Any]) -> dict[str, Any]:
    runs = [10 * 48 + 8, *[32, 16] * 19, 32, 8 + 34 * 48]
    return {"size": [number(48), number(64)], "counts": [number(run) for run in runs]}


OUTLINE = [10.0, 8.0, 30.0, 8.0, 30.0, 40.0, 10.0, 40.0]
POINTS = [[10, 8], [30, 8], [30, 40], [10, 40]]
TEXT_IDS = all_of(
    every("images", id=str),
    every("annotations", image_id=str, category_id=str),
    every("categories", id=str),
)
NAMED_IDS = all_of(
    every("images", id="photo {}".format),
    every("annotations", image_id="photo {}".format, category_id="kind {}".format),
    every("categories", id="kind {}".format),
)
REPAIRS: dict[str, Edit] = {
    "a stray point beside a good outline": first(segmentation=[OUTLINE, [1, 1]]),
    "a stray line beside a good outline": first(segmentation=[[3, 3, 9, 9], OUTLINE]),
    "an empty outline beside a good one": first(segmentation=[[], OUTLINE]),
    "an outline without its list": first(segmentation=OUTLINE),
    "an outline of points": first(segmentation=POINTS),
    "a list of outlines of points": first(segmentation=[POINTS]),
    "an outline in text": first(segmentation=[[str(v) for v in OUTLINE]]),
    "an outline as text of json": first(segmentation=json.dumps([OUTLINE])),
    "a box as text of json": first(bbox="[10, 8, 20, 32]"),
    "run lengths in a list": first(segmentation=[block_code("text")]),
    "run lengths as text of bytes": first(segmentation=block_code("bytes")),
    "run lengths as floats": first(segmentation=plain_counts(float)),
    "no box": first(bbox=None),
    "a box of three numbers": first(bbox=[1, 2, 3]),
    "a box in text": first(bbox=["10", "8", "20.0", "32"]),
    "a box of a negative side": first(bbox=[30, 40, -20, -32]),
    "a box without an extent": first(bbox=[10, 8, 0, 0]),
    "no area": first(area=None),
    "an area in text": first(area="640.0"),
    "an area that is none": first(area="large"),
    "an area of 0": first(area=0),
    "a negative area": first(area=-3),
    "a crowd that is none, in text": first(iscrowd="0"),
    "a crowd that is none, as a float": first(iscrowd=0.0),
    "a crowd that is none, as false": first(iscrowd=False),
    "a crowd that is none, as text of false": first(iscrowd="False"),
    "no crowd": first(iscrowd=None),
    "no sizes": lambda c: [image.pop(side) for image in c["images"] for side in ("width", "height")],
    "sizes of 0": every("images", width=lambda _: 0, height=lambda _: 0),
    "sizes in text": every("images", width=str, height=str),
    "sizes as floats": every("images", width=float, height=float),
    "sizes that are none": every("images", width=lambda _: "wide", height=lambda _: -4),
    "ids in text everywhere": TEXT_IDS,
    "ids in text on one side": every("images", id=str),
    "ids in text on the other side": every("annotations", image_id=str, category_id=str),
    "ids as floats": every("annotations", image_id=float, category_id=float),
    "ids as floats in text": every("annotations", image_id=lambda i: f"{i}.0", category_id="{}.0".format),
    "ids that are names": NAMED_IDS,
    "one image whose id is a name": lambda c: c["images"][1].update(id="second"),
    "annotations of one id": every("annotations", id=lambda _: 7),
    "annotations without id": lambda c: [one.pop("id") for one in c["annotations"]],
    "an entry that is no table": lambda c: c["images"].append("b.png"),
    "an image twice": lambda c: c["images"].append(dict(c["images"][0])),
    "an annotation twice": lambda c: c["annotations"].append(dict(c["annotations"][0])),
    "a category twice": lambda c: c["categories"].append(dict(c["categories"][0])),
    "a name that is a number": lambda c: c["categories"].append({"id": 3, "name": 3}),
    "Roboflow's root": lambda c: c.update(
        categories=[
            {"id": 0, "name": "things", "supercategory": "none"},
            *({**category, "supercategory": "things"} for category in c["categories"]),
        ]
    ),
    "Roboflow's root of the same name": lambda c: c.update(
        categories=[
            {"id": 0, "name": "person", "supercategory": "none"},
            *({**category, "supercategory": "person"} for category in c["categories"]),
        ]
    ),
}


@pytest.mark.parametrize("edit", REPAIRS.values(), ids=REPAIRS)
def test_what_is_certain_is_repaired_for_learning_and_for_measuring(tmp_path: Path, edit: Edit):
    path = written(tmp_path, edit)

    found, truth = load_annotations(path), load_ground_truth(path)

    assert found.class_names[:2] == ("person", "car")
    assert [c["name"] for c in truth.dataset["categories"]][:2] == ["person", "car"]
    assert [len(image.instances) for image in found.images] == [2, 0]
    instance = found.images[0].instances[0]
    assert (instance.box, instance.has_mask, instance.crowd) == (BLOCK, True, False)
    image, empty = truth.dataset["images"]
    assert (image["width"], image["height"]) == (64, 48)
    assert not truth.imgToAnns[empty["id"]]
    record, other = truth.imgToAnns[image["id"]]
    assert truth.cats[record["category_id"]]["name"] == "person"
    assert record["bbox"] == [10, 8, 20, 32]
    assert (record["area"], record["iscrowd"], coco_mask.area(truth.annToRLE(record))) == (AREA, 0, AREA)
    assert coco_mask.area(truth.annToRLE(other)) == 24 * 48
    assert len({record["id"], other["id"], 0}) == 3


def reasons(found: AnnotationSet) -> dict[str, tuple[int, tuple[str, ...]]]:
    return {skipped.reason: (skipped.count, skipped.examples) for skipped in found.skipped}


LEFT_OUT: dict[str, tuple[Edit, str, str]] = {
    "an image that is not listed": (
        lambda c: c["annotations"].append(annotation(7, 55, BLOCK)),
        "annotation of an image that is not listed",
        "annotation 7",
    ),
    "an unknown category": (
        lambda c: c["annotations"].append(annotation(7, 1, BLOCK, category=9)),
        "annotation of an unknown category",
        "a.png, annotation 7, category 9",
    ),
    "no mask and no box": (
        lambda c: c["annotations"].append(annotation(7, 1, BLOCK, segmentation=[[]], bbox=None)),
        "annotation with neither a mask nor a box",
        "a.png, annotation 7",
    ),
    "a negative box alone": (
        lambda c: c["annotations"].append(annotation(7, 1, BLOCK, segmentation=[], bbox=[30, 40, -20, -32])),
        "object less than a pixel wide or high, or outside the image",
        "a.png, annotation 7",
    ),
    "an annotation without id": (
        lambda c: c["annotations"].append({"image_id": 1, "category_id": 1}),
        "annotation with neither a mask nor a box",
        "a.png, annotation without id, number 3 of the list",
    ),
    "a crowd that is neither": (
        lambda c: c["annotations"].append(annotation(7, 1, BLOCK, iscrowd=2)),
        "annotation whose iscrowd is neither 0 nor 1",
        "a.png, annotation 7",
    ),
    "an image without a name": (
        lambda c: c["images"].append({"id": 3, "width": 64, "height": 48}),
        "image without a file name",
        "image 3",
    ),
    "an image without an id": (
        lambda c: c["images"].append({"file_name": "c.png", "width": 64, "height": 48}),
        "image without a usable id",
        "c.png",
    ),
    "a category without a name": (
        lambda c: c["categories"].append({"id": 3}),
        "category without a name",
        "category 3",
    ),
    "a stray outline": (
        first(segmentation=[OUTLINE, [1, 1, 2, 2]]),
        "outline of fewer than three points, or flat, beside others of its object",
        "a.png, annotation 1",
    ),
}


@pytest.mark.parametrize(("edit", "reason", "example"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_what_is_not_certain_is_left_out_counted_and_named(
    tmp_path: Path, edit: Edit, reason: str, example: str
):
    path = written(tmp_path, edit)

    found = load_annotations(path)

    assert reasons(found) == {reason: (1, (example,))}
    assert len(found.images[0].instances) == len(load_ground_truth(path).imgToAnns[1]) == 2


@pytest.mark.parametrize("segmentation", [None, [], [[]], [[], []], {}])
def test_no_mask_leaves_the_box(tmp_path: Path, segmentation: Any):
    path = written(tmp_path, lambda c: c["annotations"][0].update(segmentation=segmentation, area=None))

    record = load_ground_truth(path).imgToAnns[1][0]

    assert (record["segmentation"], record["bbox"], record["area"]) == ([], [10, 8, 20, 32], AREA)
    assert not load_annotations(path).images[0].instances[0].has_mask
    assert load_annotations(path).skipped == ()


def test_the_area_that_is_missing_is_the_masks_and_not_the_boxs(tmp_path: Path):
    triangle = [[10.0, 8.0, 30.0, 8.0, 10.0, 40.0]]
    path = written(tmp_path, first(segmentation=triangle, bbox=[10, 8, 20, 32], area=None))

    record = load_ground_truth(path).imgToAnns[1][0]

    # half of the box, give or take the pixels along the edge
    assert record["area"] == pytest.approx(AREA / 2, abs=32)
    assert record["area"] == coco_mask.area(load_ground_truth(path).annToRLE(record))
    held = as_ground_truth(load_annotations(path)).dataset["annotations"][0]
    assert held["area"] == record["area"]


def test_a_stated_area_is_kept(tmp_path: Path):
    path = written(tmp_path, first(area=123.5))

    assert load_ground_truth(path).imgToAnns[1][0]["area"] == 123.5


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_a_byte_order_mark_is_no_part_of_the_labels(tmp_path: Path, encoding: str):
    path = written(tmp_path, lambda c: None)
    path.write_bytes(path.read_text().encode(encoding))

    assert len(load_annotations(path)) == len(load_ground_truth(path).imgs) == 2


def test_two_used_categories_of_one_name_are_refused_by_both(tmp_path: Path):
    def edit(content: dict[str, Any]) -> None:
        content["categories"][1]["name"] = "person"
        content["annotations"][1]["category_id"] = 2

    path = written(tmp_path, edit)
    for read in (load_annotations, load_ground_truth):
        with pytest.raises(DataError, match="two categories have the same name 'person'"):
            read(path)


def test_a_category_that_is_used_is_never_taken_for_a_root(tmp_path: Path):
    def edit(content: dict[str, Any]) -> None:
        person, car = content["categories"]
        person["supercategory"], car["supercategory"] = "none", "person"

    assert load_annotations(written(tmp_path, edit)).class_names == ("person", "car")


def test_coverage_without_masks_takes_the_annotated_box(tmp_path: Path):
    path = written(tmp_path, first(bbox=[0, 0, 9, 9]))
    edit_json(path, lambda c: c["images"][0].update(coverage="person boxes"))

    instance = load_annotations(path).images[0].instances[0]

    assert (instance.box, instance.has_mask) == ((0, 0, 9, 9), False)


def test_a_polygon_is_measured_to_its_last_digit(tmp_path: Path):
    x = 10.123456789012345
    path = written(tmp_path, first(segmentation=[[x, 8.0, 30.0, 8.0, 30.0, 40.0]]))

    assert load_ground_truth(path).imgToAnns[1][0]["segmentation"][0][0] == x


def test_the_labels_of_coco_itself_come_out_as_they_are(tmp_path: Path):
    path = written(tmp_path, lambda c: None)
    content = json.loads(path.read_text())

    truth = load_ground_truth(path)

    assert {key: truth.dataset[key] for key in content} == content
    assert polygon(BLOCK) == truth.dataset["annotations"][0]["segmentation"]
