"""Training patches of the proposal networks: what they show, and what they say of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from model.errors import DataError
from model.sharpmask.config import SHARPMASK_PRESETS
from model.sharpmask.pyramid import MEAN, STD
from model.training.data.data_formats import load_annotations
from model.training.data.patches import PatchBatches, patch_loader
from tests.tiny_data import coco_json, edit_json

LITE = SHARPMASK_PRESETS["sharpmask_lite"]
RED = torch.tensor([1.0, 0.0, 0.0])


def batches(path: Path, **changes: object) -> PatchBatches:
    options = {"seed": 3, "batch_size": 4, "target_side": 112, "mask_share": 1.0} | changes
    return PatchBatches(load_annotations(path), LITE, **options)  # type: ignore[arg-type]


def colours(images: torch.Tensor) -> torch.Tensor:
    return images * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)


def one_block(folder: Path, block: tuple[int, int, int, int] = (100, 60, 160, 90)) -> Path:
    return coco_json(folder, {"a.png": [block]}, size=(240, 180))


def test_a_mask_is_where_the_object_is_in_the_window(tmp_path: Path):
    batch = batches(one_block(tmp_path), target_side=160)[0]

    window = colours(batch.images)[:, :, 16:176, 16:176]
    is_red = (window - RED.view(3, 1, 1)).abs().amax(1) < 0.5
    agreement = (is_red == (batch.targets > 0)).float().mean((1, 2))
    assert batch.of_masks
    assert batch.targets.unique().tolist() == [-1, 1]
    assert agreement.min() > 0.97


def test_objects_are_as_long_as_they_should_be_within_a_quarter_octave(tmp_path: Path):
    targets = torch.cat([batches(one_block(tmp_path), target_side=160)[n].targets for n in range(8)]) > 0

    longest = targets.any(1).sum(1)
    assert longest.min() >= 92 * 2**-0.25 - 2
    assert longest.max() <= 92 * 2**0.25 + 2
    assert longest.float().std() > 3


def test_positives_have_an_object_in_their_middle_and_negatives_none(tmp_path: Path):
    made = batches(one_block(tmp_path), mask_share=0.0)
    middle, labels = [], []
    for n in range(12):
        batch = made[n]
        assert not batch.of_masks
        centre = colours(batch.images)[:, :, 92:100, 92:100].mean((2, 3))
        middle += ((centre - RED).abs().amax(1) < 0.5).tolist()
        labels += batch.targets.tolist()

    positives = [is_red for is_red, label in zip(middle, labels, strict=True) if label > 0]
    negatives = [is_red for is_red, label in zip(middle, labels, strict=True) if label < 0]
    assert positives == [True] * len(positives)
    assert len(positives) > 10
    assert np.mean(negatives) < 0.3  # the middle of an object at a scale that is not its own is none


def test_batches_are_the_same_whenever_they_are_asked_for(tmp_path: Path):
    path = one_block(tmp_path)
    first, again = batches(path, mask_share=0.5), batches(path, mask_share=0.5)

    for n in (5, 0, 3):
        assert torch.equal(first[n].images, again[n].images)
        assert torch.equal(first[n].targets, again[n].targets)
    assert torch.equal(next(patch_loader(first, 3, workers=0)).images, again[3].images)


def test_classes_are_drawn_before_objects(tmp_path: Path):
    path = coco_json(
        tmp_path, {"a.png": [(10, 10, 50, 40), (60, 10, 90, 40), (100, 10, 140, 40)]}, size=(150, 60)
    )

    def last_is_a_car(content: dict[str, list[dict[str, int]]]) -> None:
        content["annotations"][-1]["category_id"] = 2

    made = batches(edit_json(path, last_is_a_car))

    assert [len(objects) for objects in made._masks] == [2, 1]


def test_scores_come_from_images_alone_in_which_everything_is_labelled(tmp_path: Path):
    path = coco_json(
        tmp_path, {"a.png": [(10, 10, 50, 40)], "b.png": [(10, 10, 50, 40)]}, size=(64, 48), coverage="person"
    )

    def first_is_whole(content: dict[str, list[dict[str, str]]]) -> None:
        content["images"][0]["coverage"] = "all"

    made = batches(edit_json(path, first_is_whole), mask_share=0.5)

    assert [record.name for record in made._scores] == ["a.png"]
    assert {record.name for objects in made._masks for record, _ in objects} == {"a.png", "b.png"}


def test_crowds_and_specks_teach_no_masks(tmp_path: Path):
    path = coco_json(tmp_path, {"a.png": [(10, 10, 50, 40), (0, 0, 40, 4), (20, 0, 60, 40)]}, size=(64, 48))

    def last_is_a_crowd(content: dict[str, list[dict[str, int]]]) -> None:
        content["annotations"][-1]["iscrowd"] = 1

    assert [len(objects) for objects in batches(edit_json(path, last_is_a_crowd))._masks] == [1]


def without_masks(content: dict[str, list[dict[str, object]]]) -> None:
    for entry in content["annotations"]:
        entry["segmentation"] = []


def test_a_data_set_without_masks_is_refused(tmp_path: Path):
    path = edit_json(one_block(tmp_path), without_masks)

    with pytest.raises(DataError, match="no masks to learn from"):
        batches(path)


def test_scores_without_a_wholly_labelled_image_are_refused(tmp_path: Path):
    path = coco_json(tmp_path, {"a.png": [(10, 10, 50, 40)]}, coverage="person")

    with pytest.raises(DataError, match="all classes are labelled"):
        batches(path, mask_share=0.5)


def test_a_broken_image_is_replaced_and_nothing_but_broken_ones_is_told(tmp_path: Path):
    path = coco_json(tmp_path, {"a.png": [(10, 10, 50, 40)], "b.png": [(10, 10, 50, 40)]})
    made = batches(path)
    for name in ("a", "b"):
        whole = (tmp_path / "images" / f"{name}.png").read_bytes()
        (tmp_path / "images" / f"{name}.png").write_bytes(whole[: len(whole) // 2])

    with pytest.raises(DataError, match="in a row cannot be decoded"):
        made[0]

    (tmp_path / "images" / "b.png").write_bytes(whole)
    assert len(batches(path)[0]) == 4
    assert json.loads(path.read_text())["images"]
