"""The commands on data sets as labelling tools write them: all of them read the same."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from app.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, main
from app.train.settings import Settings
from app.train.validation import load_validation
from model.options import DetectOptions
from tests.sees_red import predictor_that_sees_red
from tests.small_data_set import CONFIG, HEIGHT, OBJECTS, WIDTH, Oracle, untrained_weights, write_data
from tests.tiny_data import edit_json

Edit = Callable[[dict[str, Any]], Any]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data(tmp_path)


@pytest.fixture(autouse=True)
def oracle(monkeypatch: pytest.MonkeyPatch) -> None:
    """One who knows the labels stands in the place of the network."""
    monkeypatch.setattr(
        "app.evaluate.run.load_predictor", lambda **_: Oracle(DetectOptions(score_threshold=0.0))
    )


def average_precision(data: Path, tmp_path: Path, *arguments: object) -> dict[str, float | None]:
    out = tmp_path / "out"
    weights = untrained_weights(tmp_path)
    command = ["eval", "--data", str(data), "--resamples", "0", "--weights", str(weights), "-o", str(out)]
    assert main([*command, *map(str, arguments)]) == EXIT_OK
    metrics = json.loads((out / "metrics.json").read_text())["runs"][0]["metrics"]
    return {kind: metrics[kind] and metrics[kind]["ap"] for kind in ("boxes", "masks")}


def messy(content: dict[str, Any]) -> None:
    """What an unlucky person has in one file."""
    one, two, three, _ = content["annotations"]
    one["segmentation"].append([1, 1, 2, 2])
    two["segmentation"] = two["segmentation"][0]
    del one["bbox"], two["area"], content["images"][1]["width"]
    three["image_id"] = 100.0
    three["iscrowd"] = "0"
    content["annotations"].append({"id": 5, "image_id": 7, "category_id": 9, "bbox": [0, 0, 9, 9]})
    content["annotations"].append({"id": 6, "image_id": 50, "category_id": 9, "segmentation": [[]]})
    content["images"][0]["file_name"] = "C:\\photos\\50.png"
    for category in content["categories"]:
        category["id"] = str(category["id"])


def named(content: dict[str, Any]) -> None:
    """Ids of which none is a number."""
    for image in content["images"]:
        image["id"] = f"photo {image['id']}"
    for one in content["annotations"]:
        one["image_id"] = f"photo {one['image_id']}"


@pytest.mark.parametrize("edit", [messy, named])
def test_eval_measures_on_labels_that_had_to_be_repaired(
    data: Path, tmp_path: Path, edit: Edit, capsys: pytest.CaptureFixture[str]
):
    edit_json(data, edit)
    data.write_bytes(data.read_text().encode("utf-8-sig"))

    assert average_precision(data, tmp_path) == {"boxes": pytest.approx(1), "masks": pytest.approx(1)}

    told = [line for line in capsys.readouterr().err.splitlines() if "left out" in line]
    assert told == (
        [
            "labels.json: left out 1 × outline of fewer than three points, or flat, beside others of its "
            "object (C:\\photos\\50.png, annotation 1)",
            "labels.json: left out 1 × annotation of an image that is not listed (annotation 5)",
            "labels.json: left out 1 × annotation with neither a mask nor a box "
            "(C:\\photos\\50.png, annotation 6)",
        ]
        if edit is messy
        else []
    )


def test_labels_of_pixels_as_stored_are_measured_on_those(data: Path, tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (WIDTH, HEIGHT), 50).save(data.parent / "images" / "50.png", exif=exif)

    assert average_precision(data, tmp_path) == {"boxes": pytest.approx(1), "masks": pytest.approx(1)}


def test_images_that_are_missing_or_of_another_size_are_told_before_the_first_is_looked_at(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(
        "app.evaluate.run.load_predictor", lambda **_: Oracle(DetectOptions(score_threshold=0.0), stop_at=50)
    )
    (data.parent / "images" / "100.png").unlink()
    Image.new("L", (HEIGHT, WIDTH), 150).save(data.parent / "images" / "150.png")

    assert main(["eval", "--data", str(data)]) == EXIT_FAILED

    said = capsys.readouterr().err
    assert "2 of 4 images cannot be read" in said
    assert "100.png: image file is missing" in said
    assert "150.png: image has another size than its labels say" in said
    assert main(["eval", "--data", str(data), "--limit", "1"]) != EXIT_FAILED


def block_image(objects: list[tuple[str, tuple[int, int, int, int]]], values: list[int]) -> Image.Image:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for (_, (x1, y1, x2, y2)), value in zip(objects, values, strict=True):
        mask[y1:y2, x1:x2] = value
    return Image.fromarray(mask)


def as_own_folder(data: Path) -> Path:
    """images/ and masks/CLASS/; of the last image nobody has looked for dogs."""
    root = data.parent
    for image, objects in OBJECTS.items():
        for name in ("cat", "dog") if image != 200 else ("dog",):
            own = [found for found in objects if found[0] == name]
            (root / "masks" / name).mkdir(parents=True, exist_ok=True)
            block_image(own, list(range(1, len(own) + 1))).save(root / "masks" / name / f"{image}.png")
    data.unlink()
    return root


def as_voc(data: Path) -> Path:
    root = data.parent
    for folder in ("JPEGImages", "SegmentationObject", "SegmentationClass"):
        (root / folder).mkdir()
    for image, objects in OBJECTS.items():
        Image.new("L", (WIDTH, HEIGHT), image).save(root / "JPEGImages" / f"{image}.jpg", quality=100)
        numbers = list(range(1, len(objects) + 1))
        classes = [{"cat": 8, "dog": 12}[name] for name, _ in objects]
        block_image(objects, numbers).save(root / "SegmentationObject" / f"{image}.png")
        block_image(objects, classes).save(root / "SegmentationClass" / f"{image}.png")
    data.unlink()
    shutil.rmtree(root / "images")
    return root


@pytest.mark.parametrize("laid_out", [as_own_folder, as_voc])
def test_eval_takes_the_folders_that_train_takes(
    data: Path, tmp_path: Path, laid_out: Callable[[Path], Path], capsys: pytest.CaptureFixture[str]
):
    folder = laid_out(data)

    assert average_precision(folder, tmp_path) == {"boxes": pytest.approx(1), "masks": pytest.approx(1)}

    facts = json.loads((tmp_path / "out" / "metrics.json").read_text())["data"]
    assert (facts["file"], facts["images"], facts["sha256"]) == (tmp_path.name, 4, None)
    partly = "1 of 4 images are labelled in part ('dog')" in capsys.readouterr().err
    assert partly == (laid_out is as_own_folder)


@pytest.mark.parametrize("laid_out", [None, as_own_folder, as_voc])
def test_a_validation_set_may_be_any_data_set(
    data: Path, tmp_path: Path, laid_out: Callable[[Path], Path] | None
):
    if laid_out is None:
        edit_json(data, messy)
    settings = Settings("livemask_s", ["x"], val=str(laid_out(data) if laid_out else data))

    found = load_validation(settings, CONFIG, tmp_path, torch.device("cpu"))

    assert found is not None
    assert len(found.labels.truth.anns) == 4
    assert len(found.labels.skipped) == (3 if laid_out is None else 0)


def test_masks_are_filled_into_labels_that_had_to_be_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("app.train.mask_filling.load_predictor", lambda **_: predictor_that_sees_red())
    picture = np.full((120, 160, 3), 120, np.uint8)
    picture[30:90, 40:100] = (220, 30, 30)
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "images").mkdir()
    Image.fromarray(picture).save(tmp_path / "images" / "red.png", exif=exif)
    content = {
        "images": [{"id": "1", "file_name": "set\\red.png", "width": 160, "height": 120, "licence": 3}],
        "categories": [{"id": 7.0, "name": "dog"}],
        "annotations": [
            {"image_id": 1, "category_id": 7, "bbox": ["40", 30, 60, 60], "segmentation": [[]], "who": "me"},
            {"image_id": 2, "category_id": 7, "bbox": [0, 0, 9, 9]},
        ],
        "info": {"by": "a tool"},
    }
    (tmp_path / "labels.json").write_text(json.dumps(content), encoding="utf-8-sig")

    assert (
        main(["fill-masks", "--data", str(tmp_path), "-o", str(tmp_path / "out" / "filled.json")]) == EXIT_OK
    )

    told = capsys.readouterr()
    assert "1 of 1 objects without a mask have one now" in told.out
    assert "left out 1 × annotation of an image that is not listed" in told.err
    filled = json.loads((tmp_path / "out" / "filled.json").read_text())
    (record,) = filled["annotations"]
    assert (record["image_id"], record["category_id"], record["who"]) == (1, 7, "me")
    assert record["segmentation"]["size"] == [120, 160]
    assert (filled["images"][0]["licence"], filled["info"]) == (3, {"by": "a tool"})


def test_a_batch_too_small_for_the_norms_is_refused_before_the_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("LIVEMASK_OFFLINE", "1")
    data = write_data(tmp_path)
    options = ["--backbone", "scratch", "--workers", "0", "--batch-size", "1", "--image-size", "32"]

    command = ["train", "--config", "livemask_n", "--data", str(data), "--output", str(tmp_path / "run")]
    assert main([*command, *options]) == EXIT_USAGE

    assert "--batch-size 1 at an input of 32 pixels leaves the batch norm" in capsys.readouterr().err
    assert not (tmp_path / "run" / "last.pt").exists()
