"""A network starts from weights of other classes: what both know is kept, what it does not know is fresh."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor

from model.checkpoints.yolact import save_checkpoint
from model.config import YolactConfig
from model.errors import CheckpointError
from model.network.yolact import Yolact, build_yolact
from model.training.initialisation import initialise_from, same_network
from tests.small_networks import FREE, TINY, small_network

THEIRS = ("cat", "dog", "bird")
OURS = ("bird", "unicorn", "cat", "gnome")


def saved(folder: Path, config: YolactConfig) -> tuple[str, dict[str, Tensor]]:
    network = small_network(dataclasses.replace(config, class_names=THEIRS), seed=1)
    path = folder / "theirs.pt"
    save_checkpoint(path, network.config, network.state_dict())
    return str(path), network.state_dict()


def fresh(config: YolactConfig, class_names: tuple[str, ...] = OURS) -> Yolact:
    torch.manual_seed(2)
    return build_yolact(dataclasses.replace(config, class_names=class_names))


@pytest.mark.parametrize("config", [FREE, TINY], ids=["free", "anchors"])
def test_all_that_knows_no_classes_is_taken_over(tmp_path: Path, config: YolactConfig):
    path, theirs = saved(tmp_path, config)
    network = fresh(config)

    initialise_from(network, path)

    for key, value in network.state_dict().items():
        if not key.startswith(("head.output.", "head.conf_layer", "semantic_head")):
            assert torch.equal(value, theirs[key]), key


@pytest.mark.parametrize("name", ["weight", "bias"])
def test_without_anchors_classes_of_the_same_name_and_the_sides_of_boxes_are_kept(tmp_path: Path, name: str):
    path, theirs = saved(tmp_path, FREE)
    network = fresh(FREE)
    before = {key: value.clone() for key, value in network.state_dict().items()}

    initialise_from(network, path)

    for level in range(len(network.head.output)):
        key = f"head.output.{level}.{name}"
        own, given = network.state_dict()[key], theirs[key]
        assert torch.equal(own[0], given[2])  # bird
        assert torch.equal(own[2], given[0])  # cat
        assert torch.equal(own[4:], given[3:])  # box sides
        assert torch.equal(own[[1, 3]], before[key][[1, 3]])


@pytest.mark.parametrize("name", ["weight", "bias"])
def test_with_anchors_each_anchor_keeps_its_background_and_its_known_classes(tmp_path: Path, name: str):
    path, theirs = saved(tmp_path, TINY)
    network = fresh(TINY)
    key = f"head.conf_layer.{name}"
    before = network.state_dict()[key].clone().unflatten(0, (-1, 5))

    initialise_from(network, path)

    own, given = network.state_dict()[key].unflatten(0, (-1, 5)), theirs[key].unflatten(0, (-1, 4))
    assert torch.equal(own[:, 0], given[:, 0])
    assert torch.equal(own[:, 1], given[:, 3])
    assert torch.equal(own[:, 3], given[:, 1])
    assert torch.equal(own[:, [2, 4]], before[:, [2, 4]])


@pytest.mark.parametrize("config", [FREE, TINY], ids=["free", "anchors"])
def test_what_finds_a_known_class_finds_it_as_before(tmp_path: Path, config: YolactConfig):
    path, _ = saved(tmp_path, config)
    network = fresh(config).eval()
    theirs = small_network(dataclasses.replace(config, class_names=THEIRS), seed=1)
    initialise_from(network, path)
    picture = torch.rand(1, 3, config.image_size, config.image_size)
    offset = 0 if config.anchors is None else 1

    with torch.no_grad():
        logits, expected = network(picture).class_logits, theirs(picture).class_logits

    assert torch.allclose(logits[..., offset], expected[..., offset + 2], atol=1e-5)
    assert torch.allclose(logits[..., offset + 2], expected[..., offset], atol=1e-5)


def test_other_channel_counts_are_refused_by_the_first_weight_and_change_nothing(tmp_path: Path):
    path, _ = saved(tmp_path, FREE)
    network = fresh(dataclasses.replace(FREE, num_prototypes=FREE.num_prototypes * 2))
    before = {key: value.clone() for key, value in network.state_dict().items()}

    with pytest.raises(CheckpointError, match=r"protonet\.last\.weight: expected \[64, .*got \[32, "):
        initialise_from(network, path)

    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_a_box_distribution_of_another_length_is_no_difference_of_classes(tmp_path: Path):
    path, _ = saved(tmp_path, FREE)
    assert FREE.anchor_free is not None
    longer = dataclasses.replace(FREE, anchor_free=dataclasses.replace(FREE.anchor_free, bins=12))

    with pytest.raises(CheckpointError, match=r"head\.output\.0\.weight: expected"):
        initialise_from(fresh(longer), path)


def test_weights_of_another_kind_of_network_are_refused(tmp_path: Path):
    path, _ = saved(tmp_path, TINY)

    with pytest.raises(CheckpointError, match="start from weights of the same network, these are of compact"):
        initialise_from(fresh(FREE), path)


def test_of_a_runs_last_state_the_average_is_taken(tmp_path: Path):
    network = small_network(FREE, seed=1)
    average = {key: value.clone() for key, value in network.state_dict().items()}
    average["head.tower.0.weight"] += 1
    path = tmp_path / "last.pt"
    save_checkpoint(path, FREE, network.state_dict(), training={"ema": average})
    started = fresh(FREE)

    initialise_from(started, str(path))

    assert torch.equal(started.state_dict()["head.tower.0.weight"], average["head.tower.0.weight"])


def test_the_same_network_may_have_another_size_name_and_other_classes():
    other = dataclasses.replace(FREE, name="larger", image_size=256, class_names=("gnome",))
    assert same_network(FREE, other)
    assert not same_network(FREE, dataclasses.replace(other, fpn_channels=32))
