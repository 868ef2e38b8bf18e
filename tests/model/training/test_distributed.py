import dataclasses
import math
import sys
from pathlib import Path

import pytest
import torch

from model.training.distributed import anywhere, from_first, gathered, is_first, mean, rank, world_size
from model.training.recipe import Stage
from model.training.saved_run import read_saved_run
from model.training.train_step import TrainStep
from model.training.trainer import Trainer
from tests.processes import run_together
from tests.tiny_training import CONFIG, CPU, RECIPE, SIDE, Recorder, make_batch, make_network, make_trainer

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="forks processes, which is safe on Linux only"
)

# one step, without anything that would hide a gradient
PLAIN = dataclasses.replace(
    RECIPE,
    iterations=1,
    warmup_iterations=0,
    learning_rate=0.1,
    momentum=0.0,
    weight_decay=0.0,
    clip_norm=0.0,
)


def shared_batches(stage, iteration):
    """What a loader does under torchrun: each process has batches of its own."""
    while True:
        yield make_batch(world_size() * iteration + rank(), stage.image_size or SIDE)
        iteration += 1


def train(folder: Path, recipe=PLAIN, network=None, batches=shared_batches) -> tuple[Trainer, Recorder]:
    # different weights: those of the first process have to count
    network = make_network(seed=rank()) if network is None else network
    trainer, watcher = make_trainer(folder, recipe, network, batches)
    trainer.run()
    return trainer, watcher


def outcome(trainer: Trainer, watcher: Recorder) -> dict[str, object]:
    return {
        "weights": {k: v.detach() for k, v in trainer.network.named_parameters()},
        "losses": watcher.losses,
        "images": [report.images for report in watcher.reports],
        "notices": watcher.notices,
        "iteration": trainer.iteration,
    }


def one_step(folder):
    return outcome(*train(folder))


def gradients(seed: int) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
    """Those of one process alone, of the first network."""
    step = TrainStep(make_network(seed=0).train(), "fp32")
    batch = make_batch(seed)
    terms = step(batch.images, batch.targets, RECIPE.seed)
    terms.total.backward()
    found = {k: p.grad for k, p in step.network.named_parameters()}
    return found, {k: float(v.detach()) for k, v in terms._asdict().items()}


def test_a_step_of_two_processes_is_one_along_the_average_of_their_gradients(tmp_path):
    first, second = run_together(tmp_path, one_step)
    (one, one_losses), (two, two_losses) = gradients(0), gradients(1)
    for name, start in make_network(seed=0).named_parameters():
        update = -0.1 * (one[name] + two[name]) / 2
        # sums in another order: an error in proportion to the largest gradient
        allowed = 1e-4 * float(update.abs().max()) + 1e-7
        step = first["weights"][name] - start.detach()
        torch.testing.assert_close(step, update, rtol=0, atol=allowed, msg=name)
        torch.testing.assert_close(second["weights"][name], first["weights"][name], rtol=0, atol=0)
    (losses,) = first["losses"]
    for name, value in losses.items():
        assert value == pytest.approx((one_losses[name] + two_losses[name]) / 2, rel=1e-5)


def several_steps(folder):
    return outcome(*train(folder, dataclasses.replace(RECIPE, optimizer="adamw")))


def test_only_the_first_of_the_processes_reports_and_writes_and_their_weights_stay_the_same(tmp_path):
    first, second = run_together(tmp_path, several_steps)
    for name, value in first["weights"].items():
        torch.testing.assert_close(second["weights"][name], value, rtol=0, atol=0)
    assert first["images"] == [4] * 6
    assert second["losses"] == []
    saved = read_saved_run(tmp_path / "last.pt")
    assert (saved.devices, saved.iteration) == (2, 6)
    assert (tmp_path / "final.pt").exists()


def spoiled_on_the_second(stage, iteration):
    for number, batch in enumerate(shared_batches(stage, iteration), iteration):
        spoil = {"boxes": batch.boxes * math.nan} if rank() == 1 and number == 0 else {}
        yield dataclasses.replace(batch, **spoil)


def a_bad_step(folder):
    recipe = dataclasses.replace(PLAIN, iterations=2)
    return outcome(*train(folder, recipe, batches=spoiled_on_the_second))


def test_a_loss_that_is_not_finite_on_one_process_skips_the_step_on_all_and_names_its_images(tmp_path):
    first, second = run_together(tmp_path, a_bad_step)
    (notice,) = first["notices"]
    assert "loss not finite" in notice
    assert "1_0.png, 1_1.png" in notice
    assert math.isnan(first["losses"][0]["box"])
    assert math.isfinite(first["losses"][1]["box"])
    for name, value in first["weights"].items():
        torch.testing.assert_close(second["weights"][name], value, rtol=0, atol=0)


def stopped_on_the_second(folder):
    def batches(stage, iteration):
        for batch in shared_batches(stage, iteration):
            if rank() == 1 and trainer.iteration == 1:
                trainer.stop()
            yield batch

    trainer, watcher = make_trainer(folder, RECIPE, make_network(), batches)
    trainer.run()
    return outcome(trainer, watcher)


def test_a_stop_that_reaches_one_process_ends_all_after_the_same_iteration(tmp_path):
    first, second = run_together(tmp_path, stopped_on_the_second)
    assert first["iteration"] == second["iteration"] == 2
    assert read_saved_run(tmp_path / "last.pt").iteration == 2


def frozen_and_rescored(folder):
    network = make_network(dataclasses.replace(CONFIG, image_size=256, mask_iou=True))
    stages = (Stage(1.0, 256, "none"),)
    recipe = dataclasses.replace(RECIPE, freeze_norms=True, iterations=3, stages=stages)

    def batches(stage, iteration):
        """No mask in the first batch is large enough for the mask IoU network."""
        for batch in shared_batches(stage, iteration):
            yield dataclasses.replace(batch, masks=batch.masks * 0) if trainer.iteration == 0 else batch

    trainer, watcher = make_trainer(folder, recipe, network, batches)
    trainer.run()
    return outcome(trainer, watcher)


def test_frozen_norms_and_a_mask_iou_network_that_sits_out_do_not_hold_processes_up(tmp_path):
    first, _ = run_together(tmp_path, frozen_and_rescored)
    rescoring = [losses["mask_iou"] for losses in first["losses"]]
    assert rescoring[0] == 0
    assert any(rescoring[1:])


def what_they_tell_each_other(folder):
    mine = float(rank())
    return (
        (rank(), world_size(), is_first()),
        mean(torch.tensor([mine, 4.0])),
        mean(torch.tensor([math.nan if mine else 1.0])),
        (anywhere(rank() == 1, CPU), anywhere(False, CPU)),
        gathered(f"rank {rank()}"),
        from_first(f"rank {rank()}"),
    )


def test_what_processes_tell_each_other(tmp_path):
    for number, told in enumerate(run_together(tmp_path, what_they_tell_each_other)):
        place, average, spoiled, flags, everyone, first = told
        assert place == (number, 2, number == 0)
        assert average.tolist() == [0.5, 4.0]
        assert spoiled.isnan().all()
        assert flags == (True, False)
        assert everyone == ["rank 0", "rank 1"]
        assert first == "rank 0"


def test_alone_a_process_answers_itself():
    place, average, _, flags, everyone, first = what_they_tell_each_other(Path())
    assert place == (0, 1, True)
    assert average.tolist() == [0.0, 4.0]
    assert flags == (False, False)
    assert (everyone, first) == (["rank 0"], "rank 0")
