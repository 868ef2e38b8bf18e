"""The shipped weights, exported: what the project promises of them, measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.cli import EXIT_OK, main
from tests.source_tree import ROOT

PEOPLE = ROOT.parent / "shared" / "data" / "people"
LARGEST_INT8 = 15e6


@pytest.mark.slow
def test_shipped_weights_in_float_are_those_of_pytorch_on_the_demo_photographs(tmp_path: Path):
    assert main(["export", "--format", "openvino", "-o", str(tmp_path)]) == EXIT_OK


@pytest.mark.slow
@pytest.mark.skipif(not PEOPLE.is_dir(), reason="the data set of people is not there")
def test_shipped_weights_in_int8_lose_at_most_one_percent_of_mask_ap(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    calibration = [PEOPLE / "train" / "images", PEOPLE / "more" / "images"]
    data = ["--data", PEOPLE / "val", "--coverage", "coco80"]
    arguments = ["--calibration", *calibration, *data, "-o", tmp_path, "--json"]

    assert main(["export", "--format", "openvino", "--int8", *map(str, arguments)]) == EXIT_OK

    told = json.loads(capsys.readouterr().out)
    assert told["agreement"]["detections"] > 100
    assert told["agreement"]["mask_ap_loss"] <= 0.01
    assert told["reference"]["masks"]["ap"] > 0.1
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= LARGEST_INT8
