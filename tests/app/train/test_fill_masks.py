"""`fill-masks`: labels go in, the same labels with more masks come out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from app.cli import main
from model.evaluation.ground_truth import load_ground_truth
from model.training.data.rle import decode_mask
from tests.sees_red import predictor_that_sees_red

WIDTH, HEIGHT = 160, 120
DISC = [40, 30, 61, 61]  # x y w h
OUTLINE = [[100.0, 10.0, 140.0, 10.0, 140.0, 50.0]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A picture of a red disc and a second one without anything; labels for the class that is known."""
    (tmp_path / "images").mkdir()
    frame = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    cv2.circle(frame, (70, 60), 30, (30, 30, 220), -1)
    cv2.imwrite(str(tmp_path / "images" / "red.png"), frame)
    cv2.imwrite(str(tmp_path / "images" / "grey.png"), np.full((HEIGHT, WIDTH, 3), 120, np.uint8))
    size = {"width": WIDTH, "height": HEIGHT}
    content = {
        "images": [
            {"id": 1, "file_name": "red.png", **size, "coverage": "dog boxes"},
            {"id": 2, "file_name": "grey.png", **size, "coverage": "dog boxes"},
        ],
        "categories": [{"id": 7, "name": "dog"}, {"id": 8, "name": "lamp"}],
        "annotations": [
            annotation(1, 1, 7, DISC),
            annotation(2, 1, 7, [100, 10, 40, 40], OUTLINE),
            annotation(3, 1, 8, DISC),
            annotation(4, 1, 7, DISC, crowd=1),
            annotation(5, 2, 7, DISC),
        ],
    }
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(content))
    return path


def annotation(
    number: int, image: int, category: int, box: list[int], mask: Any = (), crowd: int = 0
) -> dict[str, Any]:
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "bbox": box,
        "segmentation": list(mask),
        "iscrowd": crowd,
    }


@pytest.fixture
def sees_red(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.train.mask_filling.load_predictor", lambda **_: predictor_that_sees_red())


@pytest.mark.usefixtures("sees_red")
def test_objects_that_the_network_finds_in_their_box_have_a_mask_and_all_else_is_as_it_was(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    before = load_ground_truth(data).dataset

    assert main(["fill-masks", "--data", str(data), "-o", str(tmp_path / "out" / "filled.json")]) == 0

    assert capsys.readouterr().out.endswith("filled.json: 1 of 2 objects without a mask have one now\n")
    after = load_ground_truth(tmp_path / "out" / "filled.json").dataset
    masks = [record.pop("segmentation") for record in after["annotations"]]
    assert [bool(mask) for mask in masks] == [True, True, False, False, False]
    assert masks[1] == OUTLINE
    disc = decode_mask(masks[0]["counts"].encode(), WIDTH, HEIGHT)
    assert disc[60, 70] == 1
    assert disc.sum() == pytest.approx(np.pi * 30**2, rel=0.1)
    for record in before["annotations"]:
        del record["segmentation"]
    assert after["annotations"] == before["annotations"]
    assert after["categories"] == before["categories"]
    assert [image["coverage"] for image in after["images"]] == ["dog", "dog"]  # masks are to be trusted now


def test_a_real_network_is_asked(data: Path, weights: Path, tmp_path: Path):
    content = json.loads(data.read_text())
    content["categories"][0]["name"] = "person"
    data.write_text(json.dumps(content))
    network = ["--weights", str(weights), "--engine", "torch", "--device", "cpu", "--precision", "fp32"]

    code = main(
        ["fill-masks", "--data", str(data), *network, "--agreement", "0", "-o", str(tmp_path / "filled.json")]
    )

    assert code == 0
    assert len(json.loads((tmp_path / "filled.json").read_text())["annotations"]) == 5


@pytest.mark.usefixtures("sees_red")
def test_the_labels_that_are_read_are_never_written_over(data: Path, capsys: pytest.CaptureFixture[str]):
    before = data.read_bytes()

    assert main(["fill-masks", "--data", str(data), "-o", str(data)]) == 2

    assert "name another file" in capsys.readouterr().err
    assert data.read_bytes() == before


@pytest.mark.usefixtures("sees_red")
def test_a_file_that_exists_is_kept_unless_it_may_be_replaced(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    output = tmp_path / "filled.json"
    output.write_text("mine")
    command = ["fill-masks", "--data", str(data), "-o", str(output)]

    assert main(command) == 1

    assert "exists" in capsys.readouterr().err
    assert output.read_text() == "mine"
    assert main([*command, "--overwrite"]) == 0
    assert len(json.loads(output.read_text())["annotations"]) == 5


@pytest.mark.usefixtures("sees_red")
@pytest.mark.parametrize("content", [cv2.imencode(".png", np.zeros((50, 60, 3), np.uint8))[1], b"no picture"])
def test_a_picture_that_is_broken_or_of_another_size_is_named_and_keeps_its_labels(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: Any
):
    (tmp_path / "images" / "red.png").write_bytes(bytes(content))

    assert main(["fill-masks", "--data", str(data), "-o", str(tmp_path / "filled.json")]) == 1

    assert "red.png" in capsys.readouterr().err
    after = json.loads((tmp_path / "filled.json").read_text())
    assert [image["coverage"] for image in after["images"]] == ["dog boxes", "dog"]


@pytest.mark.usefixtures("sees_red")
def test_nothing_is_left_of_a_run_that_fails(data: Path, tmp_path: Path):
    data.write_text("{}")

    assert main(["fill-masks", "--data", str(data), "-o", str(tmp_path / "out" / "filled.json")]) != 0

    assert not list((tmp_path / "out").iterdir())


@pytest.mark.usefixtures("sees_red")
def test_objects_of_other_classes_than_those_asked_for_stay_without_a_mask(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    output = tmp_path / "filled.json"

    assert main(["fill-masks", "--data", str(data), "--classes", "cat,bird", "-o", str(output)]) == 0

    assert "0 of 0 objects without a mask" in capsys.readouterr().out


def test_a_class_that_the_weights_do_not_know_is_told_with_the_nearest_name(
    data: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    network = ["--weights", str(weights), "--device", "cpu", "--engine", "torch", "--precision", "fp32"]
    command = ["fill-masks", "--data", str(data), *network, "-o", str(tmp_path / "filled.json")]

    assert main([*command, "--classes", "persn"]) == 2

    assert "no class 'persn'; did you mean 'person'?" in capsys.readouterr().err
