"""Training of the proposal networks: losses, what a stage moves, resuming."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.checkpoints.sharpmask import load_sharpmask
from model.errors import ConfigError, TrainingError
from model.sharpmask.network import SharpMask
from model.training.data.patches import PatchBatch
from model.training.proposal_loss import proposal_mask_loss, proposal_score_loss
from model.training.proposal_trainer import ProposalRecipe, ProposalTrainer, recipe_for
from tests.model.sharpmask.networks import TINY, tiny


def batches(start: int, side: int = 28) -> Iterator[PatchBatch]:
    """Endless batches: masks where the number is even, scores where it is odd."""
    number = start
    while True:
        generator = torch.Generator().manual_seed(number)
        images = torch.rand(2, 3, TINY.patch, TINY.patch, generator=generator)
        masks = torch.full((2, side, side), -1.0)
        masks[:, 4:9, 5:20] = 1
        yield PatchBatch(images, torch.tensor([1.0, -1.0]) if number % 2 and side == 28 else masks)
        number += 1


def refine_batches(start: int) -> Iterator[PatchBatch]:
    return batches(start, TINY.window)


def trainer(network: SharpMask, folder: Path, recipe: ProposalRecipe, **options: object) -> ProposalTrainer:
    made = batches if recipe.stage == "mask" else refine_batches
    return ProposalTrainer(network, recipe, made, folder, **options)  # type: ignore[arg-type]


def moved(before: dict[str, torch.Tensor], network: SharpMask) -> set[str]:
    """The parts of a network whose weights have changed."""
    return {k.split(".")[0] for k, v in network.state_dict().items() if not torch.equal(v, before[k])}


def copied(network: SharpMask) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in network.state_dict().items()}


def test_the_mask_loss_is_a_mean_over_pixels_and_a_sum_over_the_batch():
    logits = torch.tensor([[[0.0, 2.0]], [[-1.0, 1.0]]])
    targets = torch.tensor([[[1.0, 1.0]], [[1.0, -1.0]]])

    expected = (0.693147 + 0.126928) / 2 + (1.313262 + 1.313262) / 2
    assert float(proposal_mask_loss(logits, targets)) == pytest.approx(expected, abs=1e-5)


def test_the_score_loss_is_a_mean_over_the_batch():
    loss = proposal_score_loss(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 1.0]))

    assert float(loss) == pytest.approx((0.693147 + 0.126928) / 2, abs=1e-5)


def test_the_mask_stage_moves_the_head_and_leaves_a_shared_trunk_alone(tmp_path: Path):
    network = tiny()
    before = copied(network)

    trainer(network, tmp_path, recipe_for("mask", 2, train_trunk=False)).run()

    assert moved(before, network) == {"head"}


def test_a_trunk_of_its_own_learns_too(tmp_path: Path):
    network = tiny()
    before = copied(network)

    trainer(network, tmp_path, recipe_for("mask", 2)).run()

    assert moved(before, network) == {"head", "trunk"}


def test_a_score_batch_does_not_move_the_mask_layer(tmp_path: Path):
    network = tiny()
    recipe = recipe_for("mask", 2, train_trunk=False)
    one = trainer(network, tmp_path, recipe)
    one.iteration = 1  # scores
    before = copied(network)

    one.run()

    assert torch.equal(network.state_dict()["head.mask.weight"], before["head.mask.weight"])
    assert not torch.equal(network.state_dict()["head.score.4.weight"], before["head.score.4.weight"])


def test_adamw_brings_the_loss_down(tmp_path: Path):
    losses: list[float] = []
    recipe = recipe_for("mask", 40, learning_rate=0.03, optimizer="adamw", train_trunk=False)

    one = trainer(tiny(), tmp_path, recipe)
    one.on_step = lambda report: losses.extend(v for k, v in report.losses.items() if k == "mask")
    one.run()

    assert losses[-1] < 0.4 < 0.6 < losses[0]


def test_the_refinement_learns_alone(tmp_path: Path):
    network = tiny()
    before = copied(network)

    trainer(network, tmp_path, recipe_for("refine", 2)).run()

    assert moved(before, network) == {"refinement"}


def test_a_network_without_refinement_has_none_to_train(tmp_path: Path):
    with pytest.raises(TrainingError, match="no refinement"):
        trainer(tiny(replace(TINY, refine_width=0)), tmp_path, recipe_for("refine", 1))


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path: Path):
    whole, recipe = tiny(), recipe_for("mask", 6, learning_rate=0.05)
    trainer(whole, tmp_path / "whole", recipe).run()

    folder = tmp_path / "halves"
    first = trainer(tiny(), folder, recipe)
    first.on_step = lambda report: first.stop() if report.iteration == 2 else None
    first.run()
    second = trainer(tiny(seed=9), folder, recipe)
    second.resume()
    assert second.iteration == 3
    second.run()

    ended = load_sharpmask(folder / "last.pt").state_dict()
    assert all(torch.equal(v, ended[k]) for k, v in whole.state_dict().items())


def test_a_run_with_other_settings_is_not_gone_on_with(tmp_path: Path):
    trainer(tiny(), tmp_path, recipe_for("mask", 1)).run()

    with pytest.raises(TrainingError, match="other settings"):
        trainer(tiny(), tmp_path, recipe_for("mask", 1, learning_rate=0.5)).resume()


def test_a_loss_that_is_not_finite_ends_the_run_and_what_was_saved_stays(tmp_path: Path):
    network = tiny()
    trainer(network, tmp_path, recipe_for("mask", 1)).run()
    kept = (tmp_path / "last.pt").read_bytes()
    with torch.no_grad():
        network.head.mask.weight.fill_(float("nan"))

    with pytest.raises(TrainingError, match="lower the learning rate"):
        trainer(network, tmp_path, recipe_for("mask", 1)).run()

    assert (tmp_path / "last.pt").read_bytes() == kept


def test_the_learning_rate_falls_as_published():
    mask, refine = ProposalRecipe("mask", 300), recipe_for("refine", 300)

    assert [mask.learning_rate_at(n) for n in (0, 50, 51, 120, 121, 299)] == pytest.approx(
        [1e-3, 1e-3, 5e-4, 5e-4, 1e-4, 1e-4]
    )
    assert refine.learning_rate_at(299) == 1e-3
    assert (refine.momentum, refine.weight_decay, refine.mask_share) == (0, 0, 1)


@pytest.mark.parametrize(
    "wrong", [{"stage": "score"}, {"iterations": 0}, {"learning_rate": float("nan")}, {"optimizer": "rprop"}]
)
def test_a_recipe_that_makes_no_sense_is_refused(wrong: dict[str, object]):
    with pytest.raises(ConfigError):
        ProposalRecipe(**({"stage": "mask", "iterations": 1} | wrong))  # type: ignore[arg-type]
