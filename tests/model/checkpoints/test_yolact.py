"""Weights on disk: what is stored, what is recognised, and what a genuine but wrong file is answered with."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.models import resnet18

from model.checkpoints.yolact import load_checkpoint, official_name, read_checkpoint, save_checkpoint
from model.config import BackboneConfig, YolactConfig
from model.errors import CheckpointError
from tests.small_networks import TINY, small_network

NETWORK = small_network(TINY)
STATE = NETWORK.state_dict()
OFFICIAL = {official_name(key): value for key, value in STATE.items()}


def native(path: Path, **changes: Any) -> Path:
    save_checkpoint(path, TINY, STATE)
    if changes:
        torch.save(torch.load(path, weights_only=True) | changes, path)
    return path


def official(path: Path, state: dict[str, Any], old: bool = False) -> Path:
    torch.save(state, path, _use_new_zipfile_serialization=not old)
    return path


def equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_a_native_file_carries_configuration_class_names_licence_notes_and_training(tmp_path: Path):
    training = {"iteration": 7, "optimizer": {"state": {0: {"momentum": torch.ones(3)}}}, "lr": 1e-3}
    path = tmp_path / "any name.pt"
    save_checkpoint(path, TINY, STATE, licence="MIT", notes="trained on nothing", training=training)

    checkpoint = read_checkpoint(path)

    assert checkpoint.config == TINY
    assert checkpoint.config.class_names == ("cat", "dog", "bird")
    assert (checkpoint.licence, checkpoint.notes) == ("MIT", "trained on nothing")
    assert checkpoint.training is not None
    assert checkpoint.training["iteration"] == 7
    assert torch.equal(checkpoint.training["optimizer"]["state"][0]["momentum"], torch.ones(3))
    assert equal(dict(checkpoint.state), STATE)


def test_a_loaded_network_computes_the_same_and_is_in_evaluation_mode(tmp_path: Path):
    images = torch.rand(1, 3, 64, 64)

    network = load_checkpoint(native(tmp_path / "a.pt"))

    assert not network.training
    assert network.config == TINY
    with torch.inference_mode():
        for ours, expected in zip(network(images), NETWORK(images), strict=True):
            assert expected is None or torch.equal(ours, expected)
    assert torch.equal(network.anchors, NETWORK.anchors)


def test_a_loaded_network_can_be_trained_on(tmp_path: Path):
    network = load_checkpoint(native(tmp_path / "a.pt"))
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_half_precision_halves_the_file_and_is_read_as_float32(tmp_path: Path):
    full, half = tmp_path / "full.pt", tmp_path / "half.pt"
    save_checkpoint(full, TINY, STATE)
    save_checkpoint(half, TINY, STATE, half=True)

    network = load_checkpoint(half)

    assert half.stat().st_size < 0.65 * full.stat().st_size
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    torch.testing.assert_close(network.state_dict(), STATE, atol=1e-3, rtol=1e-3)


def test_writing_that_fails_leaves_the_older_file_and_nothing_else(tmp_path: Path):
    path = native(tmp_path / "a.pt")
    before = path.read_bytes()

    with pytest.raises((AttributeError, TypeError)):
        save_checkpoint(path, TINY, STATE, training={"no value": (n for n in range(3))})

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("old", [False, True], ids=["zip", "older container"])
def test_official_files_are_recognised_by_their_keys(tmp_path: Path, old: bool):
    path = official(tmp_path / "renamed.pth", OFFICIAL, old)

    network = load_checkpoint(path, TINY)

    assert equal(network.state_dict(), STATE)
    assert read_checkpoint(path, TINY).training is None


@pytest.mark.parametrize("old", [False, True], ids=["zip", "older container"])
def test_surplus_keys_of_old_files_are_ignored_even_when_they_share_numbers(tmp_path: Path, old: bool):
    surplus = {
        key.replace("backbone.layers.", "backbone.layer"): value.view(value.shape)
        for key, value in OFFICIAL.items()
        if key.startswith("backbone.layers.")
    }
    surplus["fpn.downsample_layers.2.weight"] = torch.ones(5)
    path = official(tmp_path / "a.pth", OFFICIAL | surplus, old)

    assert equal(load_checkpoint(path, TINY).state_dict(), STATE)


def test_a_file_of_a_deeper_backbone_is_not_taken_for_a_file_with_surplus(tmp_path: Path):
    deeper = OFFICIAL | {"backbone.layers.2.5.conv1.weight": torch.ones(3)}
    with pytest.raises(CheckpointError, match=r"backbone\.layers\.2\.5\.conv1\.weight: not a part"):
        load_checkpoint(official(tmp_path / "a.pth", deeper), TINY)


def test_files_older_than_the_count_of_batches_are_read(tmp_path: Path):
    state = {key: value for key, value in OFFICIAL.items() if not key.endswith("num_batches_tracked")}
    network = load_checkpoint(official(tmp_path / "a.pth", state), TINY)
    assert int(network.backbone.bn1.num_batches_tracked) == 0
    assert equal(network.state_dict(), STATE)


def test_an_official_file_tells_its_configuration_by_name_alone(tmp_path: Path):
    # too few weights for it, which shows what was expected
    with pytest.raises(
        CheckpointError, match=r"backbone\.conv1\.weight: expected .*for yolact_resnet50_pascal"
    ):
        load_checkpoint(official(tmp_path / "yolact_resnet50_pascal_54_800000.pth", OFFICIAL))
    with pytest.raises(CheckpointError, match=r"must keep its name.*yolact_base"):
        load_checkpoint(official(tmp_path / "weights.pth", OFFICIAL))


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a shape": ({"proto_net.0.0.weight": torch.ones(16, 16, 3, 4)}, r"expected \[16, 16, 3, 3\] float32 for"),
    "the shape's length": ({"proto_net.0.0.weight": torch.ones(16)}, r"got \[16\] float32"),
    "a type": ({"proto_net.0.0.weight": torch.ones(16, 16, 3, 3).long()}, r"got \[16, 16, 3, 3\] int64"),
    "no tensor": ({"proto_net.0.0.weight": 5}, "but got int"),
    "nothing": ({"proto_net.0.0.weight": None}, "but it is missing"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_the_first_offending_key_is_named_as_in_the_file_with_what_was_expected(tmp_path: Path, fault: str):
    change, said = WRONG[fault]
    path = official(tmp_path / "a.pth", OFFICIAL | change)
    with pytest.raises(CheckpointError, match=rf"a\.pth: proto_net\.0\.0\.weight: .*{said}"):
        load_checkpoint(path, TINY)


def test_a_native_file_of_another_network_names_the_first_key_that_differs(tmp_path: Path):
    path = native(tmp_path / "a.pt", weights={**STATE, "head.bbox_layer.bias": torch.ones(13)})
    with pytest.raises(CheckpointError, match=r"head\.bbox_layer\.bias: expected \[12\] float32.*got \[13\]"):
        load_checkpoint(path)


def test_weights_that_the_network_has_no_place_for_are_named(tmp_path: Path):
    path = native(tmp_path / "a.pt", weights={**STATE, "backbone.layer1.0.weight": torch.ones(1)})
    with pytest.raises(CheckpointError, match=r"backbone\.layer1\.0\.weight: not a part of compact"):
        load_checkpoint(path)


def test_another_models_weights_are_told_by_their_first_key(tmp_path: Path):
    path = official(tmp_path / "yolact_base_54_800000.pth", resnet18(weights=None).state_dict())
    with pytest.raises(CheckpointError, match=r"another model; its first key is 'conv1\.weight'"):
        load_checkpoint(path)


@pytest.mark.parametrize("content", [torch.ones(3), [torch.ones(3)], 7, "weights", None])
def test_a_file_without_a_table_is_told_so(tmp_path: Path, content: Any):
    path = tmp_path / "a.pt"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match="expected a table of tensors, got"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 2}, "format version 2, expected 1"),
        ({"version": torch.ones(2)}, "format version"),
        ({"weights": [1]}, "'weights' should be a table of tensors, got list"),
        ({"training": 4}, "'training' should be a table, got int"),
        ({"config": {}}, "config: setting '.*' is missing"),
        ({"config": "livemask_s"}, "config: expected a table of settings, got str"),
        ({"config": TINY.to_dict() | {5: 6}}, "a.pt: "),
        ({"config": TINY.to_dict() | {"image_size": [[[]]]}}, "image_size"),
        ({"config": TINY.to_dict() | {"pixel_std": [1.0, float("nan"), 1.0]}}, "pixel_std is out of range"),
        ({"config": TINY.to_dict() | {"anchors": torch.ones(1)}}, "anchors: expected a table"),
        (
            {"config": TINY.to_dict() | {"backbone": {"name": "vgg", "width": 8, "deformable_interval": 0}}},
            "'vgg'",
        ),
    ],
)
def test_a_native_file_with_a_broken_part_is_told_which(tmp_path: Path, change: dict[str, Any], said: str):
    with pytest.raises(CheckpointError, match=said):
        load_checkpoint(native(tmp_path / "a.pt", **change))


def test_weights_that_share_their_numbers_are_refused(tmp_path: Path):
    numbers = torch.zeros(max(value.numel() for value in STATE.values()))
    weights = {
        key: numbers[: value.numel()].view(value.shape) if value.is_floating_point() else value
        for key, value in STATE.items()
    }
    with pytest.raises(CheckpointError, match=r"weights claim \d+ bytes, but the file has"):
        load_checkpoint(native(tmp_path / "a.pt", weights=weights))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_refused_by_their_first_key(tmp_path: Path, value: float):
    broken = {**STATE, "head.bbox_layer.bias": torch.full((12,), value)}
    with pytest.raises(CheckpointError, match=r"a\.pt: head\.bbox_layer\.bias: .*not finite"):
        load_checkpoint(native(tmp_path / "a.pt", weights=broken))


def test_text_that_is_no_text_is_left_out(tmp_path: Path):
    checkpoint = read_checkpoint(native(tmp_path / "a.pt", licence=5, notes=None))
    assert (checkpoint.licence, checkpoint.notes) == ("", "")


def test_a_file_that_is_not_there_is_told_with_where_to_look(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"none\.pt: no such file; `models list`"):
        load_checkpoint(tmp_path / "none.pt")


def test_a_configuration_given_replaces_the_files_own(tmp_path: Path):
    config = dataclasses.replace(TINY, image_size=96, class_names=("a", "b", "c"))
    network = load_checkpoint(native(tmp_path / "a.pt"), config)
    assert network.config == config
    assert len(network.anchors) == 3 * (144 + 36 + 9 + 4 + 1)


BACKBONES = [BackboneConfig("resnet50", 8, 1), BackboneConfig("darknet53", 8)]


@pytest.mark.parametrize("backbone", BACKBONES, ids=lambda backbone: backbone.name)
def test_networks_of_every_kind_come_back_from_both_kinds_of_file(tmp_path: Path, backbone: BackboneConfig):
    config: YolactConfig = dataclasses.replace(TINY, backbone=backbone, mask_iou=True, image_size=256)
    state = small_network(config).state_dict()
    save_checkpoint(tmp_path / "a.pt", config, state)
    official(tmp_path / "a.pth", {official_name(key): value for key, value in state.items()})

    assert equal(load_checkpoint(tmp_path / "a.pt").state_dict(), state)
    assert equal(load_checkpoint(tmp_path / "a.pth", config).state_dict(), state)
