"""`calibrate` from its command line to a checkpoint that is read back.

What the network finds is made up, with matches that are drawn by its scores, so that the answer is known.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from app.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, main
from model.checkpoints.yolact import read_checkpoint, save_checkpoint
from model.config import YolactConfig
from model.detections import Detections, MaskCrop
from model.options import DetectOptions
from tests.small_networks import COMPACT, FREE, small_network

NAMES = ("cat", "dog", "bird")
SIDE, CELL = 60, 20  # nine cells, one object in each
IMAGES = 80
SLOPE, OFFSET = 3.0, 1.0


def cells() -> list[tuple[int, int]]:
    return [(x, y) for y in range(0, SIDE, CELL) for x in range(0, SIDE, CELL)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Pictures with a cat in each cell, but for the last one, in which a dog is."""
    (tmp_path / "images").mkdir()
    images, annotations = [], []
    for image in range(1, IMAGES + 1):
        Image.new("L", (SIDE, SIDE), image).save(tmp_path / "images" / f"{image}.png")
        images.append({"id": image, "file_name": f"{image}.png", "width": SIDE, "height": SIDE})
        for place, (x, y) in enumerate(cells()):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": 2 if place == 8 and image <= 15 else 1,
                    "bbox": [x, y, CELL, CELL],
                    "segmentation": [[x, y, x + CELL, y, x + CELL, y + CELL, x, y + CELL]],
                    "area": CELL * CELL,
                    "iscrowd": 0,
                }
            )
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    path = tmp_path / "labels.json"
    path.write_text(json.dumps({"images": images, "categories": categories, "annotations": annotations}))
    return path


@dataclasses.dataclass
class Gambler:
    """Finds a cat in each cell; whether it is there depends, by chance, on the score."""

    config: YolactConfig
    options: DetectOptions

    def __call__(self, frame: NDArray[np.uint8]) -> Detections:
        image = int(frame[0, 0, 0])
        rng = np.random.default_rng(image)
        places = cells()[: 8 if image <= 15 else 9]
        logits = rng.normal(0, 1, len(places))
        scores = (1 / (1 + np.exp(-logits))).astype(np.float32)
        right = rng.random(len(places)) < 1 / (1 + np.exp(-(SLOPE * logits + OFFSET)))
        boxes = [
            (x, y, x + CELL, y + (CELL if hit else CELL // 3))
            for (x, y), hit in zip(places, right, strict=True)
        ]
        return Detections(
            image_size=(SIDE, SIDE),
            boxes=np.array(boxes, np.float32),
            scores=scores,
            classes=np.zeros(len(places), np.int64),
            class_names=self.config.class_names,
            crops=tuple(MaskCrop(x, y, np.ones((b - y, r - x), bool)) for x, y, r, b in boxes),
            box_scores=scores,
        )


@pytest.fixture
def gambler(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: Any, score_threshold: float, **__: Any) -> Gambler:
        return Gambler(FREE, DetectOptions(score_threshold))

    monkeypatch.setattr("app.calibrate.run.load_predictor", load)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "in.pt"
    state = small_network(FREE).state_dict()
    save_checkpoint(path, FREE, state, licence="mine", notes="trained for a day", half=True)
    return path


def calibrate(data: Path, weights: Path, output: Path, *arguments: object) -> int:
    command = ["calibrate", "--data", data, "--weights", weights, "-o", output, *arguments]
    return main([str(word) for word in command])


@pytest.mark.usefixtures("gambler")
class TestCheckpoint:
    def test_scores_of_the_written_network_are_those_that_the_matches_were_drawn_with(
        self, data: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ):
        assert calibrate(data, weights, tmp_path / "out.pt") == EXIT_OK

        before, after = read_checkpoint(weights), read_checkpoint(tmp_path / "out.pt")
        key, classes = "head.output.0.weight", FREE.num_classes
        slopes = after.state[key][:classes] / before.state[key][:classes].float()
        slope = float(slopes.flatten()[0])
        assert torch.allclose(slopes, torch.full_like(slopes, slope), rtol=1e-4)
        assert slope == pytest.approx(SLOPE, rel=0.3)
        bias = key.replace("weight", "bias")
        offset = after.state[bias][:classes] - slope * before.state[bias][:classes]
        assert offset.numpy() == pytest.approx(np.full(classes, OFFSET), abs=0.3)
        assert f"sigmoid({slope:.4f} · logit + " in capsys.readouterr().out

    def test_thresholds_are_in_the_configuration_and_a_class_with_few_objects_has_the_common_one(
        self, data: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ):
        calibrate(data, weights, tmp_path / "out.pt")

        detection = read_checkpoint(tmp_path / "out.pt").config.detection
        cat, dog, bird = detection.class_thresholds
        assert 0.1 < cat < 0.6
        assert dog == bird == cat  # 15 dogs are too few, and there is no other class to share with
        assert detection.confidence_threshold != FREE.detection.confidence_threshold
        rows = {line.split("  ")[0]: line.split() for line in capsys.readouterr().out.splitlines()}
        assert rows["cat"][1:3] == ["705", f"{cat:.3f}"]
        assert rows["all 1 others"][3:5] == ["15", f"{dog:.3f}"]

    def test_all_else_is_as_it_was(self, data: Path, weights: Path, tmp_path: Path):
        calibrate(data, weights, tmp_path / "out.pt")

        before, after = read_checkpoint(weights), read_checkpoint(tmp_path / "out.pt")
        for key in before.state:
            if not key.startswith("head.output."):
                assert torch.equal(before.state[key], after.state[key])
                assert before.state[key].dtype == after.state[key].dtype
        assert after.licence == "mine"
        assert after.notes.startswith(
            "trained for a day\nthresholds of classes fitted on 80 images of labels.json"
        )
        assert dataclasses.replace(after.config, detection=FREE.detection) == FREE

    def test_the_table_tells_the_error_before_and_after(
        self, data: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ):
        calibrate(data, weights, tmp_path / "out.pt")

        lines = capsys.readouterr().out.splitlines()
        errors = {
            name: float(line.removeprefix(name).split()[0])
            for line in lines
            for name in ("before ", "after ", "after, fitted on the other half of the images ")
            if line.startswith(name)
        }
        assert len(errors) == 3
        assert errors["before "] > 10
        assert all(error < 6 for name, error in errors.items() if name != "before ")

    def test_scores_of_a_network_with_anchors_stay_and_the_user_is_told(
        self, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ):
        config = dataclasses.replace(COMPACT, class_names=NAMES, image_size=64)
        weights = tmp_path / "anchors.pt"
        save_checkpoint(weights, config, small_network(config).state_dict())

        assert calibrate(data, weights, tmp_path / "out.pt") == EXIT_OK

        assert "scores stay as they are: the network has anchors" in capsys.readouterr().out
        before, after = read_checkpoint(weights), read_checkpoint(tmp_path / "out.pt")
        assert all(torch.equal(before.state[key], after.state[key]) for key in before.state)
        assert len(after.config.detection.class_thresholds) == 3
        assert after.config.detection.confidence_threshold == pytest.approx(0.05)

    def test_thresholds_alone_can_be_asked_for(self, data: Path, weights: Path, tmp_path: Path):
        calibrate(data, weights, tmp_path / "out.pt", "--thresholds-only")

        before, after = read_checkpoint(weights), read_checkpoint(tmp_path / "out.pt")
        assert all(torch.equal(before.state[key], after.state[key]) for key in before.state)
        assert after.config.detection.class_thresholds

    def test_precision_can_count_more(self, data: Path, weights: Path, tmp_path: Path):
        for beta in (0.25, 4):
            calibrate(data, weights, tmp_path / f"{beta}.pt", "--beta", beta)

        careful, keen = (
            read_checkpoint(tmp_path / f"{beta}.pt").config.detection.class_thresholds[0]
            for beta in (0.25, 4)
        )
        assert careful > keen

    def test_of_a_run_the_averaged_weights_are_written_in_half_precision(self, data: Path, tmp_path: Path):
        state, average = (small_network(FREE, seed).state_dict() for seed in (0, 1))
        save_checkpoint(tmp_path / "last.pt", FREE, state, training={"ema": average})

        calibrate(data, tmp_path / "last.pt", tmp_path / "out.pt")

        after = read_checkpoint(tmp_path / "out.pt")
        assert after.training is None
        key = next(key for key, value in average.items() if key.startswith("backbone") and value.ndim > 1)
        assert torch.equal(after.state[key], average[key].half())


@pytest.mark.usefixtures("gambler")
class TestFaults:
    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("in.pt", "holds the weights that are read"),
            ("there.pt", "use --overwrite"),
            ("out.onnx", "NAME.pt"),
        ],
    )
    def test_an_output_that_cannot_be_is_refused_before_the_work(
        self,
        data: Path,
        weights: Path,
        tmp_path: Path,
        name: str,
        said: str,
        capsys: pytest.CaptureFixture[str],
    ):
        (tmp_path / "there.pt").write_bytes(b"mine")

        assert calibrate(data, weights, tmp_path / name) == EXIT_USAGE

        assert said in capsys.readouterr().err
        assert (tmp_path / "there.pt").read_bytes() == b"mine"

    def test_an_output_may_be_replaced_when_that_is_asked_for(
        self, data: Path, weights: Path, tmp_path: Path
    ):
        (tmp_path / "out.pt").write_bytes(b"mine")

        assert calibrate(data, weights, tmp_path / "out.pt", "--overwrite") == EXIT_OK

    def test_too_few_detections_are_told_and_nothing_is_written(
        self, data: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ):
        assert calibrate(data, weights, tmp_path / "out.pt", "--limit", 2) == EXIT_FAILED

        assert "16 detections, of which" in capsys.readouterr().err
        assert not (tmp_path / "out.pt").exists()

    def test_a_file_that_is_no_checkpoint_is_named(
        self, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ):
        (tmp_path / "in.pt").write_bytes(b"no weights")

        assert calibrate(data, tmp_path / "in.pt", tmp_path / "out.pt") == EXIT_FAILED
        assert "in.pt" in capsys.readouterr().err

    @pytest.mark.parametrize("beta", ["0", "-1", "nan", "inf", "much"])
    def test_a_beta_that_is_no_number_over_0_is_wrong_usage(
        self, data: Path, weights: Path, tmp_path: Path, beta: str
    ):
        with pytest.raises(SystemExit) as end:
            calibrate(data, weights, tmp_path / "out.pt", f"--beta={beta}")
        assert end.value.code == EXIT_USAGE


def test_a_real_network_is_asked(
    data: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    # it has learned nothing, so that nothing matches
    assert calibrate(data, weights, tmp_path / "out.pt", "--device", "cpu", "--limit", 3) == EXIT_FAILED
    assert "detections, of which" in capsys.readouterr().err
