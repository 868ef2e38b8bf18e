"""Exported networks that keep the aspect ratio: one model for inputs of every shape."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model import load_predictor
from model.errors import CheckpointError, ConfigError
from model.exporting.comparison import compare
from model.exporting.exported import Facts, read_exported, write_openvino
from model.exporting.int8 import ALWAYS_KEPT, KEPT_IN_FLOAT
from model.exporting.interface import without_masks
from model.exporting.onnx_model import write_onnx
from model.exporting.openvino_model import to_openvino
from model.host.torch_host import on_host
from model.options import DetectOptions
from model.outputs import BOX_OUTPUTS, OUTPUTS
from model.predictor import make_predictor
from tests.small_networks import FREE, SMALL, free_network

NETWORK = free_network()
FACTS = Facts(FREE, "0" * 64, "fp32")
SHAPES = [(1, 3, 64, 96), (2, 3, 96, 32), (1, 3, 128, 128)]
TOLERANCE = 2e-3  # of weights that enlarge what rounding leaves


@pytest.fixture(scope="module")
def free_model() -> Any:
    return to_openvino(NETWORK)


def assert_same(model: Any, run: Any, shape: tuple[int, ...]) -> None:
    images = torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))
    with torch.inference_mode():
        expected = NETWORK(images)
    found = run(model, images)
    for name, part in zip(OUTPUTS, expected[:4], strict=True):
        np.testing.assert_allclose(found[name], part.numpy(), rtol=1e-3, atol=TOLERANCE, err_msg=name)


@pytest.mark.parametrize("shape", SHAPES)
def test_one_model_computes_what_the_network_computes_at_every_shape(
    free_model: Any, run: Any, shape: tuple[int, ...]
):
    assert_same(free_model, run, shape)


def test_its_input_leaves_the_sides_open_and_its_logits_have_no_background(free_model: Any):
    assert str(free_model.input("images").partial_shape) == "[?,3,?,?]"
    model = free_model.clone()
    model.reshape([1, 3, 64, 96])
    assert not model.is_dynamic()
    assert {port.get_any_name(): list(port.shape) for port in model.outputs} == {
        "box_deltas": [1, 126, 4],
        "class_logits": [1, 126, FREE.num_classes],
        "mask_coefficients": [1, 126, FREE.num_coefficients],
        "prototypes": [1, 16, 24, FREE.num_prototypes],
    }


def test_what_int8_leaves_in_float_is_named_in_it(free_model: Any):
    names = [n.get_friendly_name() for n in free_model.get_ops() if n.get_type_name() == "Convolution"]
    layers = {name for name, m in NETWORK.named_modules() if isinstance(m, torch.nn.Conv2d)}
    assert {name.partition("#")[0] for name in names} == {n for n in layers if "semantic" not in n}
    kept = list(KEPT_IN_FLOAT.values())[:ALWAYS_KEPT]
    in_float = {name for name in names if any(re.fullmatch(pattern, name) for pattern in kept)}
    early = {name for name in names if name.startswith(("backbone.stem.", "backbone.stages.0."))}
    assert len(early) == 5
    assert in_float == {"head.output.0", "head.output.1", "head.output.2"} | early


def test_a_written_model_is_read_back_and_runs_at_the_size_that_is_asked_for(
    free_model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LIVEMASK_HOME", str(tmp_path / "home"))
    write_openvino(free_model, tmp_path / "free.xml", FACTS)
    assert read_exported(tmp_path / "free.xml").facts == FACTS
    frame = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)
    options = DetectOptions(score_threshold=0.3)
    keen: dict[str, Any] = {"device": "cpu", "precision": "fp32", "score_threshold": 0.3}

    exported = load_predictor(tmp_path / "free.xml", **keen)
    larger = load_predictor(tmp_path / "free.xml", image_size=192, **keen)

    expected = on_host(make_predictor(NETWORK, torch.device("cpu"), options))(frame)
    np.testing.assert_allclose(exported(frame).scores, expected.scores, atol=1e-3)
    np.testing.assert_allclose(exported(frame).boxes, expected.boxes, atol=0.1)
    assert larger.prepare([frame]).shape == (1, 3, 128, 192)
    assert len(larger(frame)) > 0
    with pytest.raises(ConfigError, match="multiple of 32"):
        load_predictor(tmp_path / "free.xml", image_size=200, **keen)


@pytest.mark.parametrize(
    "config",
    [
        SMALL,
        dataclasses.replace(FREE, class_names=("cat", "dog")),
        dataclasses.replace(FREE, num_prototypes=8),
    ],
    ids=["with anchors", "fewer classes", "fewer prototypes"],
)
def test_a_model_of_another_configuration_is_refused(free_model: Any, tmp_path: Path, config: Any):
    write_openvino(free_model, tmp_path / "other.xml", dataclasses.replace(FACTS, config=config))
    with pytest.raises(CheckpointError, match=r"other\.xml: .* expected"):
        read_exported(tmp_path / "other.xml")


def test_without_masks_boxes_stay_the_same(free_model: Any, run: Any):
    images = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    boxes, everything = run(without_masks(free_model), images), run(free_model, images)
    assert tuple(boxes) == BOX_OUTPUTS
    for name in BOX_OUTPUTS:
        np.testing.assert_allclose(boxes[name], everything[name], atol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("onnx", "onnxscript")),
    reason="onnx and onnxscript are not installed",
)
def test_an_onnx_file_takes_every_shape_too(tmp_path: Path, run: Any):
    write_onnx(NETWORK, tmp_path / "free.onnx", FACTS)

    exported = read_exported(tmp_path / "free.onnx")

    assert exported.facts == FACTS
    for shape in SHAPES:
        assert_same(exported.model, run, shape)


def test_errors_of_boxes_are_told_in_pixels_of_the_letterboxed_input():
    frame = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)
    found = make_predictor(NETWORK, torch.device("cpu"), DetectOptions(score_threshold=0.4))(frame)
    moved = dataclasses.replace(found, boxes=found.boxes + np.array([0, 1, 0, 1], np.float32))

    told = compare(found, moved, FREE.image_size, keeps_aspect_ratio=True)

    # one pixel of a frame that is 160 wide
    assert max(told.box_errors) == pytest.approx(FREE.image_size / 160, rel=0.01)
