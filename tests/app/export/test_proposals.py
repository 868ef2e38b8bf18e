"""`export` of proposal networks."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from app.cli import main
from model.checkpoints.sharpmask import save_sharpmask
from model.exporting.exported import int8_beside
from tests.model.sharpmask.networks import tiny

pytest.importorskip("openvino")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    save_sharpmask(tmp_path / "tiny.pt", tiny())
    return tmp_path / "tiny.pt"


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for number in range(4):
        noise = np.random.default_rng(number).integers(0, 255, (9, 12, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), cv2.resize(noise, (60, 45)))
    return folder


def export(weights: Path, *arguments: object) -> int:
    given = ("export", "--weights", weights, "--format", "openvino", "--output", weights.parent, *arguments)
    return main([str(one) for one in given])


def test_int8_is_proven_and_lies_beside_the_weights_it_serves(weights, photographs, capsys):
    assert export(weights, "--int8", "--calibration", photographs, "--tolerance", "mask-iou-mean=0.5") == 0

    told = capsys.readouterr()
    assert "score error, mean" in told.out
    assert "tiny.int8.xml against PyTorch fp32 on 1 images" in told.out
    assert int8_beside(weights) == weights.with_name("tiny.int8.xml")


def test_a_file_out_of_tolerance_is_not_kept(weights, photographs, capsys, monkeypatch):
    monkeypatch.setattr("app.export.images.PHOTOS", photographs)
    assert export(weights, "--tolerance", "score-error-mean=0") == 1

    assert "not kept, for it is out of tolerance: score_error_mean is" in capsys.readouterr().err
    assert not weights.with_name("tiny.fp32.xml").exists()


def test_the_dense_pass_in_float_is_that_of_pytorch(weights, photographs, capsys, monkeypatch):
    monkeypatch.setattr("app.export.images.PHOTOS", photographs)
    assert export(weights) == 0
    assert "best windows in common  1.0000" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--image-size", "320"), "export of a proposal network knows no --image-size"),
        (("--no-masks",), "export of a proposal network knows no --no-masks"),
        (("--format", "onnx"), "exported with --format openvino alone"),
    ],
)
def test_what_a_proposal_network_does_not_know_is_refused(weights, arguments, said, capsys):
    assert export(weights, *arguments) == 2
    assert said in capsys.readouterr().err
