"""Quantisation: 8-bit weights, and the layers that stay in float until the accuracy is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.exporting.exported import Facts, read_exported, write_openvino
from model.exporting.int8 import quantise
from model.exporting.openvino_model import OUTPUTS, to_openvino
from model.network.yolact import Yolact
from tests.small_networks import free_network

# of `KEPT_IN_FLOAT`, those that this network has
LAYERS = (
    "head.bbox_layer",
    "head.conf_layer",
    "head.mask_layer",
    "backbone.conv1",
    "head.upfeature",
    "protonet",
    "fpn",
)


@pytest.fixture(scope="module")
def images(network: Yolact) -> list[torch.Tensor]:
    side = network.config.image_size
    return list(torch.randn(4, 1, 3, side, side, generator=torch.Generator().manual_seed(0)))


def integer_convolutions(model: Any) -> set[str]:
    """Those whose weights are 8-bit integers."""
    found = set()
    for node in model.get_ops():
        if node.get_type_name() == "Convolution":
            source = node.input_value(1).get_node()
            while source.get_type_name() in ("Multiply", "Subtract", "Convert", "FakeQuantize"):
                source = source.input_value(0).get_node()
            if source.output(0).element_type.to_string() in ("i8", "u8"):
                found.add(node.get_friendly_name().partition("#")[0])
    return found


@torch.no_grad()
def test_all_convolutions_but_those_kept_have_integer_weights_and_the_outputs_stay_near(
    network: Yolact, converted: Any, images: list[torch.Tensor], run: Any, tmp_path: Path
):
    told: list[str] = []

    made = quantise(converted, images, accept=lambda _: True, tell=told.append)

    assert made.accepted
    assert made.kept == ("head.bbox_layer",)
    assert told == ["quantising all but head.bbox_layer"]
    convolutions = {name for name, m in network.named_modules() if isinstance(m, torch.nn.Conv2d)}
    assert integer_convolutions(made.model) == convolutions - {"head.bbox_layer", "semantic_head"}
    found = run(made.model, images[0])
    assert tuple(found) == OUTPUTS
    for name, expected in zip(OUTPUTS, network(images[0])[:4], strict=True):
        apart = np.abs(found[name] - expected.numpy()).mean()
        assert apart < 0.1 * np.abs(expected.numpy()).mean(), name
    write_openvino(made.model, tmp_path / "a.int8.xml", Facts(network.config, "0" * 64, "int8"))
    assert read_exported(tmp_path / "a.int8.xml").facts.precision == "int8"
    assert (tmp_path / "a.int8.bin").stat().st_size < 0.4 * 4 * sum(p.numel() for p in network.parameters())


@pytest.mark.slow
def test_one_layer_more_is_kept_until_the_model_is_accepted(
    converted: Any, images: list[torch.Tensor], capsys: pytest.CaptureFixture[str]
):
    seen: list[set[str]] = []

    def accept(model: Any) -> bool:
        seen.append(integer_convolutions(model))
        return len(seen) == 2

    made = quantise(converted, images, accept)

    assert made.accepted
    assert made.kept == LAYERS[:2]
    assert seen[0] - seen[1] == {"head.conf_layer"}
    assert integer_convolutions(converted) == set()
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_what_is_never_accepted_comes_back_with_all_of_them_in_float(
    converted: Any, images: list[torch.Tensor]
):
    made = quantise(converted, images, accept=lambda _: False)

    assert not made.accepted
    assert made.kept == LAYERS
    assert all(name.startswith("backbone.layers") for name in integer_convolutions(made.model))


def test_without_anchors_stem_first_stage_and_the_sides_of_boxes_stay_in_float():
    network = free_network()
    images = list(torch.randn(2, 1, 3, 64, 96, generator=torch.Generator().manual_seed(0)))
    told: list[str] = []

    made = quantise(to_openvino(network), images, accept=lambda _: True, tell=told.append)

    assert made.kept == ("head.output", "backbone.stages.0")
    assert told == ["quantising all but head.output, backbone.stages.0"]
    integer = integer_convolutions(made.model)
    assert not any(name.startswith(("backbone.stem", "backbone.stages.0", "head.output")) for name in integer)
    assert {"backbone.stages.1.reduce.0", "protonet.last", "head.tower.0"} <= integer
    total = next(node for node in made.model.get_ops() if node.get_type_name() == "ReduceSum")
    assert total.input_value(0).get_node().get_type_name() == "Multiply"
