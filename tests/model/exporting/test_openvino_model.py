"""OpenVINO's graph computes what the network computes."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import numpy as np
import pytest
import torch

from model.config import BackboneConfig
from model.exporting.interface import without_masks
from model.exporting.openvino_model import exported_program, to_openvino
from model.network.yolact import RawOutputs, Yolact, fuse_batch_norms
from model.outputs import BOX_OUTPUTS, OUTPUTS
from tests.small_networks import TINY, small_network


def images(batch: int, network: Yolact) -> torch.Tensor:
    side = network.config.image_size
    return torch.randn(batch, 3, side, side, generator=torch.Generator().manual_seed(batch))


def assert_same(found: dict[str, Any], raw: RawOutputs) -> None:
    for name, expected in zip(OUTPUTS, raw[:4], strict=True):
        if name in found:
            np.testing.assert_allclose(found[name], expected.numpy(), rtol=1e-4, atol=1e-4, err_msg=name)


@torch.no_grad()
def test_it_computes_what_the_network_computes_with_a_batch_of_any_size(
    network: Yolact, converted: Any, run: Any
):
    for batch in (1, 2, 5):
        given = images(batch, network)
        found = run(converted, given)

        assert tuple(found) == OUTPUTS
        assert_same(found, network(given))


@pytest.mark.parametrize("batch", [1, 8])
@torch.no_grad()
def test_it_can_be_fixed_to_one_batch_size(network: Yolact, converted: Any, run: Any, batch: int):
    model = converted.clone()
    side = network.config.image_size
    model.reshape([batch, 3, side, side])

    assert not model.is_dynamic()
    given = images(batch, network)
    assert_same(run(model, given), network(given))


def test_input_and_outputs_say_their_shapes(network: Yolact, converted: Any):
    anchors, config = len(network.anchors), network.config

    assert str(converted.input("images").partial_shape) == "[?,3,64,64]"
    model = converted.clone()
    model.reshape([2, 3, 64, 64])
    assert {port.get_any_name(): list(port.shape) for port in model.outputs} == {
        "box_deltas": [2, anchors, 4],
        "class_logits": [2, anchors, config.num_classes + 1],
        "mask_coefficients": [2, anchors, config.num_prototypes],
        "prototypes": [2, 16, 16, config.num_prototypes],
    }


def test_convolutions_bear_the_names_of_their_modules(network: Yolact, converted: Any):
    names = {n.get_friendly_name() for n in converted.get_ops() if n.get_type_name() == "Convolution"}
    modules = {name for name, m in network.named_modules() if isinstance(m, torch.nn.Conv2d)}

    # the semantic head is for training alone
    assert {name.partition("#")[0] for name in names} == modules - {"semantic_head"}
    assert {"head.bbox_layer", "head.bbox_layer#5", "fpn.lat_layers.0.0"} <= names


@torch.no_grad()
def test_without_masks_the_protonet_vanishes_and_boxes_stay_the_same(
    network: Yolact, converted: Any, run: Any
):
    model = converted.clone()
    model.set_rt_info("kept", ["livemask", "licence"])

    boxes = without_masks(model)

    names = [n.get_friendly_name() for n in boxes.get_ops()]
    assert not [name for name in names if name.startswith("protonet")]
    given = images(2, network)
    found = run(boxes, given)
    assert tuple(found) == BOX_OUTPUTS
    assert_same(found, network(given))
    assert boxes.get_rt_info(["livemask", "licence"]).value == "kept"
    assert len(model.outputs) == len(OUTPUTS)


@torch.no_grad()
def test_the_network_stays_as_it_was(run: Any):
    network = small_network(TINY).to(memory_format=torch.channels_last).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}

    model = to_openvino(network)

    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(parameter.requires_grad for parameter in network.parameters())
    given = images(1, network)
    assert_same(run(model, given), network.eval()(given))


@torch.no_grad()
def test_a_network_whose_norms_are_folded_already_is_converted_too(network: Yolact, run: Any):
    given = images(1, network)

    assert_same(run(to_openvino(fuse_batch_norms(network)), given), network(given))


@torch.no_grad()
def test_deformable_convolutions_are_computed_as_pytorch_does(run: Any):
    backbone = BackboneConfig("resnet50", width=8, deformable_interval=1)
    network = small_network(dataclasses.replace(TINY, backbone=backbone))
    for name, parameter in network.named_parameters():
        if "conv_offset_mask" in name:  # zero until it is trained
            torch.nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(0))

    model = to_openvino(network)

    assert "DeformableConvolution" in {node.get_type_name() for node in model.get_ops()}
    given = images(2, network)
    assert_same(run(model, given), network(given))


def test_what_pytorch_warns_of_in_its_own_export_is_not_passed_on(
    network: Yolact, monkeypatch: pytest.MonkeyPatch
):
    export = torch.export.export

    def warning_export(*arguments: Any, **options: Any) -> torch.export.ExportedProgram:
        warnings.warn("an old name is in use", FutureWarning, stacklevel=1)
        return export(*arguments, **options)

    monkeypatch.setattr(torch.export, "export", warning_export)
    with warnings.catch_warnings(record=True, action="always") as passed_on:
        exported_program(network)
    assert passed_on == []
