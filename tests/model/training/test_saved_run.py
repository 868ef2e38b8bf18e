import dataclasses

import pytest
import torch

from model.checkpoints.yolact import load_checkpoint, save_checkpoint
from model.errors import CheckpointError, TrainingError
from model.training.saved_run import read_saved_run, write_weights
from tests.full_disk import no_file_longer_than
from tests.tiny_training import CONFIG, RECIPE, make_network, make_trainer


@pytest.fixture
def last(tmp_path):
    """A run that was saved after two of its iterations."""
    trainer, watcher = make_trainer(tmp_path)
    watcher.on_step = lambda report: trainer.stop() if report.iteration == 1 else None
    trainer.run()
    return tmp_path / "last.pt"


def rewrite(path, **changes):
    """Let the file hold another training state; a value of None removes the key."""
    content = torch.load(path, weights_only=True)
    training = content["training"] | changes
    content["training"] = {k: v for k, v in training.items() if v is not None}
    torch.save(content, path)


def test_a_saved_run_holds_config_recipe_and_iteration(last):
    saved = read_saved_run(last)
    assert (saved.config, saved.recipe, saved.iteration, saved.devices) == (CONFIG, RECIPE, 2, 1)
    assert saved.ema_updates == 2


def test_a_saved_run_is_a_weights_file_too_and_gives_its_average(last):
    saved = read_saved_run(last)
    found = load_checkpoint(last).state_dict()
    for key, value in found.items():
        torch.testing.assert_close(value, saved.ema[key].float(), rtol=0, atol=0, check_dtype=False)
    assert any(not torch.equal(value, saved.weights[key]) for key, value in found.items())


@pytest.mark.parametrize("average", [{}, {"a": 1}, "text"])
def test_an_average_of_another_network_is_refused(last, average):
    rewrite(last, ema=average)
    with pytest.raises(CheckpointError, match="averaged weights"):
        load_checkpoint(last)


def test_a_file_of_before_devices_and_skips_were_counted_is_read(last):
    rewrite(last, devices=None, skipped=None, data=None)
    saved = read_saved_run(last)
    assert (saved.devices, saved.skipped) == (1, 0)
    trainer, _ = make_trainer(last.parent)
    trainer.resume(saved)
    assert trainer.iteration == 2


def test_weights_without_a_training_state_are_told_apart_from_a_run(tmp_path):
    save_checkpoint(tmp_path / "last.pt", CONFIG, make_network().state_dict())
    with pytest.raises(TrainingError, match=r"holds weights but no training state"):
        read_saved_run(tmp_path / "last.pt")


@pytest.mark.parametrize("keep", [0, 1000, -1])
def test_a_file_that_was_cut_short_is_refused_by_name(last, keep):
    last.write_bytes(last.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"last\.pt"):
        read_saved_run(last)


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": None},
        {"iteration": None},
        {"iteration": "two"},
        {"recipe": {"optimizer": "sgd"}},
        {"recipe": "sgd"},
        {"ema": None},
        {"ema": {}},
        {"ema": ["a", "b"]},
    ],
)
def test_a_training_state_that_is_no_such_is_refused_and_its_weights_recommended(last, changes):
    rewrite(last, **changes)
    with pytest.raises(TrainingError, match=r"last\.pt: its training state .* --weights of a new run"):
        read_saved_run(last)


def test_the_optimisers_state_of_another_network_is_refused(last):
    saved = read_saved_run(last)
    saved.optimizer["param_groups"][0]["params"].pop()
    trainer, _ = make_trainer(last.parent)
    with pytest.raises(TrainingError, match="optimiser's state"):
        trainer.resume(saved)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"config": dataclasses.replace(CONFIG, class_names=("disc", "bin"))}, "class_names"),
        ({"config": dataclasses.replace(CONFIG, image_size=96)}, "image_size"),
        (
            {"recipe": dataclasses.replace(RECIPE, learning_rate=2e-3)},
            "learning_rate is 0.002, expected 0.001",
        ),
        ({"recipe": dataclasses.replace(RECIPE, iterations=7)}, "iterations is 7, expected 6"),
        ({"data": "5 images, digest a"}, "learned from other images .5 images, digest a."),
        ({"devices": 2}, "saved on 2 devices.*nproc-per-node 2"),
    ],
)
def test_a_trainer_goes_on_with_its_own_run_only(last, change, named):
    trainer, _ = make_trainer(last.parent)
    before = {k: v.clone() for k, v in trainer.network.state_dict().items()}
    with pytest.raises(TrainingError, match=named):
        trainer.resume(dataclasses.replace(read_saved_run(last), **change))
    assert trainer.iteration == 0
    for key, value in trainer.network.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)


def test_when_the_disk_is_full_the_older_file_stays_whole_and_nothing_else_is_left(last):
    good = last.read_bytes()
    trainer, _ = make_trainer(last.parent)
    trainer.resume(read_saved_run(last))
    with (
        no_file_longer_than(len(good) // 2),
        pytest.raises(TrainingError, match=r"last\.pt cannot be written .* the older one is kept; free some"),
    ):
        trainer.run()
    assert last.read_bytes() == good
    assert [path.name for path in last.parent.iterdir()] == ["last.pt"]
    again, watcher = make_trainer(last.parent)
    again.resume(read_saved_run(last))
    again.run()
    assert [report.iteration for report in watcher.reports] == [2, 3, 4, 5]


def test_a_folder_that_is_gone_is_told_by_name(tmp_path):
    with pytest.raises(TrainingError, match=r"gone/final\.pt cannot be written"):
        write_weights(tmp_path / "gone" / "final.pt", CONFIG, make_network().state_dict())
