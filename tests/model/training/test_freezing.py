"""What is frozen stays as it is, and a teacher is neither trained nor saved."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import pytest
import torch

from model.checkpoints.yolact import read_checkpoint
from model.config import AnchorFreeConfig, BackboneConfig, YolactConfig
from model.errors import ConfigError
from model.network.yolact import Yolact
from model.training.optimizer import build_optimizer, freeze
from model.training.recipe import FROZEN
from model.training.train_step import TrainStep
from model.training.trainer import Trainer
from tests.small_networks import FREE
from tests.tiny_training import CONFIG, CPU, RECIPE, SIDE, Recorder, endless, make_batch, make_network

FREE_CONFIG: YolactConfig = dataclasses.replace(
    FREE,
    image_size=SIDE,
    # no thinner: see `tests.tiny_training`
    backbone=BackboneConfig("csp", width=32),
    anchor_free=AnchorFreeConfig(mask_channels=16),
    class_names=CONFIG.class_names,
)


def trained(
    folder: Path, network: Yolact, kind: str, teacher: Yolact | None = None
) -> tuple[Trainer, dict[str, torch.Tensor]]:
    """A run of a few steps, and the parameters from before it."""
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    recipe = dataclasses.replace(RECIPE, freeze=kind, iterations=3)
    trainer = Trainer(network, recipe, endless, folder, Recorder(), CPU, teacher=teacher)
    trainer.run()
    return trainer, before


def changed(network: Yolact, before: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, p in network.named_parameters() if not torch.equal(p, before[name])}


@pytest.mark.parametrize("kind", FROZEN)
def test_only_what_is_not_frozen_is_trained(tmp_path: Path, kind: str):
    network = make_network(FREE_CONFIG)

    _, before = trained(tmp_path, network, kind)

    frozen = {name for name in before if name.startswith(tuple(f"{part}." for part in FROZEN[kind]))}
    moved = changed(network, before)
    assert not moved & frozen
    # every part that learns has learned something
    parts = {name.rpartition(".")[0] for name in before.keys() - frozen}
    assert {name.rpartition(".")[0] for name in moved} >= {p for p in parts if not p.startswith("semantic")}
    assert bool(frozen) == (kind != "none")


def test_what_is_left_of_a_frozen_detector_is_what_makes_masks():
    network = make_network(FREE_CONFIG)
    freeze(network, "detector")
    learning = {name.split(".")[0] for name, p in network.named_parameters() if p.requires_grad}
    heads = {
        name.split(".")[1]
        for name, p in network.named_parameters()
        if p.requires_grad and name.startswith("head.")
    }
    assert learning - {"semantic_head"} == {"protonet", "head"}
    assert heads == {"mask_tower", "mask_layer"}


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_optimiser_knows_nothing_of_what_is_frozen(optimizer: str):
    network = make_network(FREE_CONFIG)
    freeze(network, "backbone")
    recipe = dataclasses.replace(RECIPE, optimizer=optimizer)

    groups = build_optimizer(network, recipe).param_groups

    held = {id(p) for group in groups for p in group["params"]}
    assert held == {id(p) for p in network.parameters() if p.requires_grad}


def test_a_part_that_a_network_does_not_have_cannot_be_frozen():
    freeze(make_network(), "backbone")
    with pytest.raises(ConfigError, match=r"freeze 'detector': the network has no part 'head\.tower'"):
        freeze(make_network(), "detector")


def test_a_teacher_is_neither_trained_nor_saved(tmp_path: Path):
    teacher = make_network(FREE_CONFIG, seed=7)
    kept = copy.deepcopy(teacher)
    network = make_network(FREE_CONFIG)

    trainer, _ = trained(tmp_path, network, "none", teacher)

    for name, p in teacher.named_parameters():
        assert torch.equal(p, kept.get_parameter(name)), name
        assert p.grad is None
        assert not p.requires_grad
    # what can be trained and saved is the network alone
    assert set(trainer._train_step.state_dict()) == {f"network.{name}" for name in network.state_dict()}
    assert set(read_checkpoint(trainer.final).state) == set(network.state_dict())


def test_a_teacher_changes_what_is_learned():
    batch, network = make_batch(0), make_network(FREE_CONFIG)
    teacher = make_network(FREE_CONFIG, seed=7).requires_grad_(False).train()

    alone = TrainStep(network, "fp32")(batch.images, batch.targets, 0)
    taught = TrainStep(network, "fp32", teacher)(batch.images, batch.targets, 0)

    assert float(alone.cls.detach()) != float(taught.cls.detach())
    assert not any(
        name.startswith("_teacher") for name, _ in TrainStep(network, "fp32", teacher).named_parameters()
    )


def test_a_frozen_detector_reports_losses_of_masks_alone(tmp_path: Path):
    network = make_network(FREE_CONFIG)
    freeze(network, "detector")
    batch = make_batch(0)
    terms = TrainStep(network, "fp32")(batch.images, batch.targets, 0)
    assert (float(terms.box.detach()), float(terms.cls.detach())) == (0, 0)


@pytest.mark.parametrize(("frozen", "passes"), [("backbone", 1), ("none", 2)])
def test_a_backbone_that_rests_and_is_the_teachers_computes_once_and_the_loss_is_the_same(
    monkeypatch: pytest.MonkeyPatch, frozen: str, passes: int
):
    batch, network = make_batch(0), make_network(FREE_CONFIG)
    teacher = make_network(FREE_CONFIG, seed=7)
    teacher.backbone.load_state_dict(network.backbone.state_dict())
    teacher.requires_grad_(False).train()
    freeze(network, frozen)
    step = TrainStep(network, "fp32", teacher)
    seen = []
    for part in (network.backbone, teacher.backbone):
        part.register_forward_hook(lambda *_: seen.append(1))

    terms = step(batch.images, batch.targets, 0)

    assert len(seen) == passes
    monkeypatch.setattr(TrainStep, "_one_backbone", property(lambda _: False))
    twice = step(batch.images, batch.targets, 0)
    torch.testing.assert_close(terms.total.detach(), twice.total.detach())
