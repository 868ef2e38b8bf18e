"""Proof that proposal networks learn: on eight images, both stages. Takes minutes."""

from __future__ import annotations

import json

import pytest

from app.cli import main
from tests.shapes_data import write_shapes

pytestmark = pytest.mark.slow


def train(data, output, stage: str, iterations: int, *arguments) -> None:
    common = ("--config", "sharpmask_lite", "--device", "cpu", "--batch-size", 16, "--workers", 0)
    run = ("train", *common, "--stage", stage, "--data", data, "--output", output, "--iterations", iterations)
    assert main([*map(str, (*run, *arguments))]) == 0


def test_both_stages_learn_eight_images(tmp_path):
    shapes = write_shapes(tmp_path / "shapes", images=8, side=160)
    train(shapes, tmp_path / "mask", "mask", 240, "--init", "livemask_s", "--learning-rate", 2e-3)
    mask = tmp_path / "mask" / "final.pt"
    train(shapes, tmp_path / "refine", "refine", 120, "--weights", mask, "--learning-rate", 2e-3)

    measure = ("--data", shapes, "--zoom", 2, "--topn", 100, "--compare", "refine=off,on")
    weights = tmp_path / "refine" / "final.pt"
    assert (
        main([*map(str, ("eval", "--proposals", "--weights", weights, *measure, "--output", tmp_path))]) == 0
    )

    found = json.loads((tmp_path / "proposals.json").read_text())
    coarse, refined = (found[f"refine={one}"]["masks"]["at"]["100"] for one in ("off", "on"))
    assert coarse > 0.6
    assert refined > max(0.85, 1.1 * coarse)
