"""Proof that training learns: on eight images it comes close to perfect. Takes minutes."""

from __future__ import annotations

import cv2
import pytest

from app.cli import main
from model.evaluation.coco_eval import CocoMetrics, coco_metrics
from model.evaluation.ground_truth import load_ground_truth
from model.predictor import load_predictor
from tests.shapes_data import CLASSES, write_shapes

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return write_shapes(tmp_path_factory.mktemp("shapes"), images=8, side=160)


def learned(shapes, output, *arguments) -> CocoMetrics:
    """What the final weights of a run find in the images that they were trained on."""
    common = ("--backbone", "scratch", "--device", "cpu", "--batch-size", 8, "--save-every", 10_000)
    run = ("train", "--data", shapes, "--output", output, *common, *arguments)
    assert main([*map(str, run)]) == 0
    truth = load_ground_truth(shapes)
    predictor = load_predictor(output / "final.pt", device="cpu", score_threshold=0.0)
    images = truth.dataset["images"]
    found = [(i["id"], predictor(cv2.imread(str(shapes.parent / "images" / i["file_name"])))) for i in images]
    return coco_metrics(truth, found, CLASSES)


def test_a_small_network_learns_eight_images(shapes, tmp_path):
    quick = ("--iterations", 120, "--learning-rate", 2e-3, "--ema", 0.95)
    size = ("--image-size", 128, "--stages", "1:128:none")
    metrics = learned(shapes, tmp_path / "run", "--config", "livemask_n", *size, *quick)
    assert metrics.masks.ap50 >= 0.95
    assert metrics.boxes.ap50 >= 0.95


def test_an_official_configuration_learns_eight_images_with_its_own_loss_and_optimiser(shapes, tmp_path):
    quick = ("--iterations", 120, "--warmup", 40, "--learning-rate", 4e-3)
    size = ("--image-size", 96, "--stages", "1:96:none")
    metrics = learned(shapes, tmp_path / "run", "--config", "yolact_resnet50", *size, *quick)
    assert metrics.masks.ap50 >= 0.95
