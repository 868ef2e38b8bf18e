"""What a COCO json becomes, and what is said about one that is broken."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from model.errors import ConfigError, DataError
from model.training.data.annotations import AnnotationSet
from model.training.data.data_formats import load_annotations
from model.training.data.rle import decode_mask, run_lengths
from tests.source_tree import ROOT
from tests.tiny_data import annotation, coco_json, draw_blocks, edit_json, polygon, save_image

# pycocotools 2.0.11 does not know numpy's latest protocol

BLOCK = (10, 8, 30, 40)
Edit = Callable[[dict[str, Any]], Any]


def changed(folder: Path, edit: Edit, **keys: Any) -> Path:
    return edit_json(coco_json(folder, {"a.png": [BLOCK], "b.png": []}, **keys), edit)


def reasons(found: AnnotationSet) -> dict[str, int]:
    return {skipped.reason: skipped.count for skipped in found.skipped}


def test_polygons_become_objects_with_their_extent_as_box(tmp_path: Path):
    found = load_annotations(coco_json(tmp_path, {"a.png": [BLOCK, (40, 0, 64, 48)], "b.png": []}))

    first, second = found.images
    assert found.class_names == ("person", "car")
    assert [i.box for i in first.instances] == [BLOCK, (40, 0, 64, 48)]
    assert all(i.has_mask and not i.crowd and i.class_index == 0 for i in first.instances)
    assert second.instances == ()
    assert found.skipped == ()


def test_a_folder_with_one_json_is_read_too(tmp_path: Path):
    coco_json(tmp_path, {"a.png": [BLOCK]})

    assert len(load_annotations(tmp_path)) == 1


def test_images_beside_annotations_are_found_as_coco_unpacks_them(tmp_path: Path):
    path = coco_json(tmp_path, {"a.png": [BLOCK]})
    (tmp_path / "annotations").mkdir()
    moved = path.rename(tmp_path / "annotations" / "instances_train2017.json")
    (tmp_path / "images").rename(tmp_path / "train2017")

    assert load_annotations(moved).images[0].path == tmp_path / "train2017" / "a.png"


def test_images_lie_where_one_is_told(tmp_path: Path):
    path = coco_json(tmp_path, {"a.png": [BLOCK]})
    (tmp_path / "images").rename(tmp_path / "elsewhere")

    with pytest.raises(DataError, match=r"none of its 1 images was found in .*images"):
        load_annotations(path)
    assert len(load_annotations(path, images=tmp_path / "elsewhere")) == 1


@pytest.mark.parametrize("compressed", [False, True])
def test_run_lengths_of_both_kinds_are_taken(tmp_path: Path, compressed: bool):
    mask = np.zeros((48, 64), dtype=np.uint8)
    mask[8:40, 10:30] = 1
    packed = coco_mask.encode(np.asfortranarray(mask))
    counts = packed["counts"].decode() if compressed else run_lengths(packed["counts"])

    def edit(content: dict[str, Any]) -> None:
        content["annotations"][0].update(segmentation={"size": [48, 64], "counts": counts}, iscrowd=1)

    (instance,) = load_annotations(changed(tmp_path, edit)).images[0].instances

    assert instance.crowd
    assert instance.box == BLOCK
    assert instance.rle is not None
    assert (decode_mask(instance.rle, 64, 48) == mask).all()


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [48, 64], "counts": [10, 20]},
        {"size": [48, 64], "counts": [48 * 64 + 5]},
        {"size": [64, 48], "counts": [64 * 48]},
        {"size": [48, 64], "counts": [-1, 48 * 64 + 1]},
        {"size": [48, 64], "counts": "zzzzzzz"},
        {"size": [48, 64], "counts": "1"},
        {"size": [48, 64], "counts": "\x01é"},
        {"size": [48, 64]},
        {"counts": "1"},
        [[1.0, 2.0, 3.0, 4.0]],
        [[1.0, 2.0, 3.0, 4.0, 5.0]],
        [[7.0, 7.0, 7.0, 7.0, 7.0, 7.0]],
        [[7.0, 7.0, 9.0, 7.0, 20.0, 7.0]],
        [[0.0, 0.0, float("nan"), 4.0, 5.0, 6.0]],
        [["a", "b", "c", "d", "e", "f"]],
        [[[1, 2], [3]]],
        "no segmentation",
        7,
    ],
)
def test_of_a_malformed_mask_the_box_is_kept_and_the_mask_is_counted(tmp_path: Path, segmentation: Any):
    path = changed(tmp_path, lambda c: c["annotations"][0].update(segmentation=segmentation))

    found = load_annotations(path)

    (instance,) = found.images[0].instances
    assert instance.box == BLOCK
    assert not instance.has_mask
    (skipped,) = found.skipped
    assert skipped.count == 1
    assert skipped.reason.startswith("mask, of which only the box is used: ")
    assert skipped.examples == ("a.png, annotation 1",)


def test_an_empty_segmentation_means_that_only_the_box_is_known(tmp_path: Path):
    found = load_annotations(changed(tmp_path, lambda c: c["annotations"][0].update(segmentation=[])))

    assert not found.images[0].instances[0].has_mask
    assert found.skipped == ()


@pytest.mark.parametrize(
    "bbox", [[5, 5, 0, 10], [5, 5, 10, -3], [5, 5, 0.5, 10], [100, 5, 10, 10], [-20, -20, 10, 10]]
)
def test_a_degenerate_box_is_counted_and_left_out(tmp_path: Path, bbox: list[float]):
    path = changed(
        tmp_path,
        lambda c: c["annotations"].append(annotation(2, 1, BLOCK, segmentation=[], bbox=bbox)),
    )

    found = load_annotations(path)

    assert len(found.images[0].instances) == 1
    assert reasons(found) == {"object less than a pixel wide or high, or outside the image": 1}


@pytest.mark.parametrize("bbox", [None, [1, 2, 3], "box", [1, 2, float("inf"), 3]])
def test_a_box_that_is_none_is_counted_and_left_out(tmp_path: Path, bbox: Any):
    path = changed(
        tmp_path,
        lambda c: c["annotations"].append(annotation(2, 1, BLOCK, segmentation=None, bbox=bbox)),
    )

    found = load_annotations(path)

    assert len(found.images[0].instances) == 1
    assert sum(reasons(found).values()) == 1


def test_boxes_are_clipped_to_the_image(tmp_path: Path):
    path = changed(tmp_path, lambda c: c["annotations"][0].update(segmentation=[], bbox=[-5, 30, 200, 200]))

    assert load_annotations(path).images[0].instances[0].box == (0, 30, 64, 48)


def test_a_corner_at_the_end_of_the_world_costs_no_memory(tmp_path: Path):
    path = changed(
        tmp_path, lambda c: c["annotations"][0].update(segmentation=[[0, 0, 1e12, 0, 1e12, 1e12, 0, 1e12]])
    )

    (instance,) = load_annotations(path).images[0].instances

    assert instance.box == (0, 0, 64, 48)
    assert instance.polygons[0].max() <= 128


def test_unknown_categories_and_images_are_counted_and_named(tmp_path: Path):
    def edit(content: dict[str, Any]) -> None:
        content["annotations"] += [annotation(7, 1, BLOCK, category=99), annotation(8, 55, BLOCK)]

    found = load_annotations(changed(tmp_path, edit))

    assert reasons(found) == {
        "annotation of an unknown category": 1,
        "annotation of an image that is not listed": 1,
    }
    assert any("annotation 7, category 99" in line for line in found.summary())


@pytest.mark.parametrize(("list_name", "called"), [("images", "file_name"), ("categories", "name")])
def test_different_entries_of_one_id_are_refused(tmp_path: Path, list_name: str, called: str):
    path = changed(tmp_path, lambda c: c[list_name].append({**c[list_name][0], called: "another"}))

    with pytest.raises(DataError, match=rf"two entries share the {list_name[:3]}\w+ id 1, .* and another;"):
        load_annotations(path)


def test_annotations_need_no_id(tmp_path: Path):
    def edit(content: dict[str, Any]) -> None:
        content["annotations"].append(annotation(2, 1, BLOCK))
        for entry in content["annotations"]:
            del entry["id"]

    assert len(load_annotations(changed(tmp_path, edit)).images[0].instances) == 2


@pytest.mark.parametrize("list_name", ["images", "annotations", "categories"])
@pytest.mark.parametrize("value", [[], None, {}, 3, ["text"]])
def test_a_file_without_one_of_its_lists_is_refused_by_the_list(tmp_path: Path, list_name: str, value: Any):
    path = changed(tmp_path, lambda c: c.update({list_name: value}))

    with pytest.raises(DataError, match=list_name):
        load_annotations(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "\x00"])
def test_a_file_that_is_no_coco_json_is_refused(tmp_path: Path, text: str):
    path = tmp_path / "labels.json"
    path.write_text(text)

    with pytest.raises(
        DataError, match=r"labels\.json: (is not json|holds a .*expected the table of a COCO json)"
    ):
        load_annotations(path)


def test_missing_and_broken_images_are_counted_and_named(tmp_path: Path):
    path = coco_json(tmp_path, {name: [BLOCK] for name in ("a.png", "b.png", "c.png", "d.png")})
    (tmp_path / "images" / "b.png").unlink()
    (tmp_path / "images" / "c.png").write_bytes(b"not an image")
    save_image(tmp_path / "images" / "d.png", draw_blocks(48, 64, []))

    found = load_annotations(path)

    assert [image.name for image in found.images] == ["a.png"]
    assert [(s.reason, s.examples) for s in found.skipped] == [
        ("image file is missing", ("b.png",)),
        ("image file cannot be read", ("c.png",)),
        ("image has another size than its labels say", ("d.png",)),
    ]


def test_nothing_usable_is_refused_with_what_was_left_out(tmp_path: Path):
    path = coco_json(tmp_path, {"a.png": [BLOCK]})
    (tmp_path / "images" / "a.png").write_bytes(b"not an image")

    with pytest.raises(DataError, match=r"no image .*: 1 × image file cannot be read \(a\.png\)"):
        load_annotations(path)


def test_a_set_without_an_object_of_the_classes_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="not one object of the classes car"):
        load_annotations(coco_json(tmp_path, {"a.png": [BLOCK]}), ["car"])


def test_an_image_without_a_stated_size_takes_that_of_the_file(tmp_path: Path):
    def edit(content: dict[str, Any]) -> None:
        for entry in content["images"]:
            del entry["width"], entry["height"]

    image = load_annotations(changed(tmp_path, edit)).images[0]

    assert (image.width, image.height) == (64, 48)


@pytest.mark.parametrize(("stated", "upright"), [((64, 48), True), ((48, 64), False)])
def test_labels_of_a_turned_photograph_may_be_in_either_frame(
    tmp_path: Path, stated: tuple[int, int], upright: bool
):
    path = coco_json(tmp_path, {"a.jpg": [BLOCK]})
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    save_image(tmp_path / "images" / "a.jpg", draw_blocks(48, 64, []), exif=exif)

    def edit(content: dict[str, Any]) -> None:
        content["images"][0].update(width=stated[0], height=stated[1])

    assert load_annotations(edit_json(path, edit)).images[0].upright is upright


def test_classes_are_chosen_ordered_and_renamed_by_name(tmp_path: Path):
    def edit(content: dict[str, Any]) -> None:
        content["categories"].append({"id": 3, "name": "van"})
        content["annotations"] += [annotation(2, 1, BLOCK, 2), annotation(3, 1, BLOCK, 3)]

    remap = {"car": "vehicle", "van": "vehicle"}
    found = load_annotations(changed(tmp_path, edit), ["vehicle", "person"], remap)

    assert found.class_names == ("vehicle", "person")
    assert [i.class_index for i in found.images[0].instances] == [1, 0, 0]


def test_an_unknown_class_is_refused_with_the_nearest_name(tmp_path: Path):
    path = coco_json(tmp_path, {"a.png": [BLOCK]})

    with pytest.raises(ConfigError, match="no class 'persn'; did you mean 'person'"):
        load_annotations(path, ["persn"])
    with pytest.raises(ConfigError, match="renaming: the data set has no class 'cart'; did you mean 'car'"):
        load_annotations(path, remap={"cart": "car"})


def test_a_class_that_another_set_labels_counts_as_unlabelled(tmp_path: Path):
    found = load_annotations(coco_json(tmp_path, {"a.png": [BLOCK]}), ["dog", "person"], allow_missing=True)

    assert found.images[0].labelled == frozenset({1})


@pytest.mark.parametrize(
    ("coverage", "labelled", "exhaustive", "masks"),
    [
        ("coco80", None, True, True),
        ("person,car", frozenset({0, 1}), True, True),
        ("person", frozenset({0}), True, True),
        ("main person", frozenset({0}), False, True),
        ("person boxes", frozenset({0}), True, False),
        ("main person boxes", frozenset({0}), False, False),
    ],
)
def test_the_coverage_key_says_what_is_labelled(
    tmp_path: Path, coverage: str, labelled: frozenset[int] | None, exhaustive: bool, masks: bool
):
    path = coco_json(tmp_path, {"a.png": [BLOCK]}, ["person", "car", "dog"], coverage=coverage)

    (image,) = load_annotations(path).images

    assert image.labelled == labelled
    assert image.exhaustive is exhaustive
    assert image.instances[0].has_mask is masks


def test_coverage_follows_the_chosen_classes(tmp_path: Path):
    path = coco_json(tmp_path, {"a.png": [BLOCK]}, ["person", "car"], coverage="person")

    assert load_annotations(path, ["person"]).images[0].labelled is None
    assert load_annotations(path, ["car", "person"]).images[0].labelled == frozenset({1})
    # a class of two categories is labelled only where both are
    with pytest.raises(DataError, match="none of the classes was labelled"):
        load_annotations(path, remap={"person": "thing", "car": "thing"})


def test_an_image_of_unknown_coverage_is_left_out(tmp_path: Path):
    path = coco_json(tmp_path, {"a.png": [BLOCK], "b.png": [BLOCK]})
    edit_json(path, lambda c: c["images"][1].update(coverage="people, maybe"))

    found = load_annotations(path)

    assert len(found) == 1
    assert reasons(found) == {"image of a coverage that is not understood: 'people, maybe'": 1}


def test_a_partly_labelled_image_without_an_object_is_left_out(tmp_path: Path):
    path = changed(tmp_path, lambda c: None, coverage="main person")

    assert reasons(load_annotations(path)) == {"image labelled in part and without a usable object": 1}


def test_a_polygon_of_two_points_beside_a_good_one_is_passed_over(tmp_path: Path):
    def edit(content: dict[str, Any]) -> None:
        content["annotations"][0]["segmentation"] = [*polygon(BLOCK), [1, 1, 2, 2]]

    (instance,) = load_annotations(changed(tmp_path, edit)).images[0].instances

    assert len(instance.polygons) == 1
    assert instance.box == BLOCK


def test_the_gathered_people_are_read_whole():
    people = ROOT.parent / "shared" / "data" / "people"
    if not people.is_dir():
        pytest.skip("the gathered people are not beside the project")

    found = load_annotations(people / "train", ["person"])
    boxes = load_annotations(people / "boxes", ["person"])

    content = json.loads((people / "train" / "train.json").read_text())
    persons = [a for a in content["annotations"] if a["category_id"] == 1]
    assert len(found) == len(content["images"])
    assert sum(len(image.instances) for image in found.images) == len(persons)
    assert sum(not image.exhaustive for image in found.images) == 1189
    assert not any(i.has_mask for image in boxes.images for i in image.instances)
