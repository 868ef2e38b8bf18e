"""Images are held out by the seed, never the last ones of a class, and measured on as they were labelled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.errors import ConfigError
from model.evaluation.ground_truth import load_ground_truth
from model.training.data.annotations import AnnotationSet
from model.training.data.data_formats import load_annotations
from model.training.data.held_out import as_ground_truth, hold_out
from model.training.data.labelled import measured_set
from tests.tiny_data import Block, coco_json, edit_json

IMAGES: dict[str, Sequence[Block]] = {
    **{f"person_{n}.png": [(5, 5, 20 + n, 40)] for n in range(10)},
    **{f"empty_{n}.png": [] for n in range(5)},
}


def names(annotations: AnnotationSet) -> set[str]:
    return {image.name for image in annotations.images}


def test_a_share_of_the_images_with_objects_and_of_those_without_is_held_out(tmp_path: Path):
    found = load_annotations(coco_json(tmp_path, IMAGES))

    kept, held = hold_out(found, 0.2, seed=0)

    assert sorted(name[:5] for name in names(held)) == ["empty", "perso", "perso"]
    assert names(kept) | names(held) == names(found)
    assert not names(kept) & names(held)


def test_the_seed_chooses_which(tmp_path: Path):
    found = load_annotations(coco_json(tmp_path, IMAGES))
    choices = [frozenset(names(hold_out(found, 0.2, seed)[1])) for seed in (0, 0, 1, 2)]
    assert choices[0] == choices[1]
    assert len(set(choices)) > 1


def test_the_only_image_of_a_class_is_learned_from(tmp_path: Path):
    def rare(content: dict) -> None:
        content["annotations"][0]["category_id"] = 2

    found = load_annotations(edit_json(coco_json(tmp_path, IMAGES), rare))
    for seed in range(10):
        assert "person_0.png" in names(hold_out(found, 0.5, seed)[0])


def test_too_few_images_are_told(tmp_path: Path):
    found = load_annotations(coco_json(tmp_path, {"a.png": [(5, 5, 20, 40)]}))
    with pytest.raises(ConfigError, match="too few images to hold some out"):
        hold_out(found, 0.2, seed=0)


def test_the_records_are_those_of_the_file_that_was_read(tmp_path: Path):
    path = coco_json(tmp_path, IMAGES)
    expected, truth = load_ground_truth(path), as_ground_truth(load_annotations(path))

    files = {image["id"]: image["file_name"] for image in truth.dataset["images"]}
    assert all(Path(file).is_file() for file in files.values())
    for mine, theirs in zip(truth.dataset["annotations"], expected.dataset["annotations"], strict=True):
        assert Path(files[mine["image_id"]]).name == expected.imgs[theirs["image_id"]]["file_name"]
        assert mine["bbox"] == pytest.approx(theirs["bbox"])
        assert np.array_equal(truth.annToMask(mine), expected.annToMask(theirs))


def test_labels_of_pixels_as_stored_are_held_out_and_measured_as_such(tmp_path: Path):
    path = coco_json(tmp_path, IMAGES)
    exif = Image.Exif()
    exif[0x0112] = 6
    for file in (tmp_path / "images").iterdir():
        with Image.open(file) as picture:
            picture.save(file, exif=exif)

    _, held = hold_out(load_annotations(path), 0.2, seed=0)
    truth = measured_set(held, path)

    assert len(truth.images) == 3
    assert all(not truth.place(image).upright for image in truth.images)
    assert all((image["width"], image["height"]) == (64, 48) for image in truth.images)
