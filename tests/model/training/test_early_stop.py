"""A run ends when its measurements bring nothing more, and the best of its states is the result."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import torch

from model.checkpoints.yolact import read_checkpoint
from model.training.early_stop import Verdict
from model.training.recipe import Recipe, Stage
from model.training.saved_run import read_saved_run
from model.training.trainer import Trainer
from tests.tiny_training import CPU, RECIPE, Recorder, endless, make_network

PATIENT = dataclasses.replace(RECIPE, iterations=12, patience=2)
FIGURES = {2: 0.1, 4: 0.5, 6: 0.3, 8: 0.4, 10: 0.9, 12: 0.9}


class Judge(Recorder):
    """Says how good each measured state is."""

    def __init__(self, figures: dict[int, float]) -> None:
        super().__init__()
        self._figures = figures

    def on_checkpoint(self, iteration: int, network: object) -> float:
        super().on_checkpoint(iteration, network)
        return self._figures.get(iteration, 0.0)


def trainer(
    output: Path, recipe: Recipe = PATIENT, figures: dict[int, float] = FIGURES
) -> tuple[Trainer, Judge]:
    judge = Judge(figures)
    return Trainer(make_network(), recipe, endless, output, judge, CPU, save_every=2), judge


def test_the_start_is_the_result_where_training_brings_nothing(tmp_path: Path):
    run, judge = trainer(tmp_path, figures={0: 0.5})
    start = {name: value.clone() for name, value in run.network.state_dict().items()}
    run.run()
    assert run.iteration == 4
    assert judge.checkpoints[0][0] == 0
    kept = read_checkpoint(tmp_path / "final.pt").state
    assert all(
        torch.equal(kept[name], value.half() if value.ndim > 1 else value) for name, value in start.items()
    )


def test_measurements_in_a_row_that_bring_nothing_end_the_run_and_the_best_state_is_kept(tmp_path: Path):
    run, judge = trainer(tmp_path)

    run.run()

    assert run.finished
    assert run.iteration == 8
    assert [iteration for iteration, _ in judge.checkpoints] == [0, 2, 4, 6, 8]
    best = judge.checkpoints[2][1].state_dict()
    for name, value in read_checkpoint(run.final).state.items():
        assert torch.allclose(value.float(), best[name].float(), atol=1e-3), name
    assert "the best state was that of iteration 4" in judge.notices[-1]
    assert run.final.read_bytes() == run.best.read_bytes()


def test_the_last_state_is_kept_where_it_is_the_best(tmp_path: Path):
    run, _ = trainer(tmp_path, figures={n: n / 100 for n in FIGURES})

    run.run()

    assert run.iteration == 12
    state = read_checkpoint(run.final).state
    assert all(torch.allclose(v.float(), run.ema.state[k].float(), atol=1e-3) for k, v in state.items())


def test_without_patience_a_run_goes_on_and_keeps_no_best_state(tmp_path: Path):
    run, _ = trainer(tmp_path, dataclasses.replace(PATIENT, patience=0))

    run.run()

    assert run.iteration == 12
    assert not run.best.exists()


@pytest.mark.parametrize("cut", [1, 4, 5, 6, 7])
def test_a_run_that_was_stopped_and_resumed_ends_where_the_other_one_does(tmp_path: Path, cut: int):
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    whole, _ = trainer(tmp_path / "whole")
    whole.run()
    first, judge = trainer(tmp_path / "cut")
    judge.on_step = lambda report: first.stop() if report.iteration + 1 == cut else None  # type: ignore[method-assign]
    first.run()
    assert first.iteration == cut

    second, _ = trainer(tmp_path / "cut")
    second.resume(read_saved_run(second.last))
    second.run()

    assert second.iteration == whole.iteration
    expected, got = read_checkpoint(whole.final).state, read_checkpoint(second.final).state
    assert all(torch.equal(value, got[name]) for name, value in expected.items())


def test_a_run_that_has_ended_early_stays_ended(tmp_path: Path):
    run, _ = trainer(tmp_path)
    run.run()
    run.final.unlink()

    again, judge = trainer(tmp_path)
    again.resume(read_saved_run(again.last))
    assert again.finished
    again.run()

    assert again.iteration == 8
    assert judge.checkpoints == []
    assert again.final.read_bytes() == again.best.read_bytes()


def test_minutes_end_a_run_with_its_weights_written(tmp_path: Path):
    run, _ = trainer(tmp_path, dataclasses.replace(RECIPE, iterations=1000, minutes=1e-5))

    run.run()

    assert run.finished
    assert run.iteration < 5
    assert run.final.exists()
    assert read_saved_run(run.last).seconds > 0


def test_a_stage_lets_the_backbone_rest_and_the_next_one_trains_it(tmp_path: Path):
    stages = (Stage(0.5, None, "none", freeze="backbone"), Stage(1.0, None, "none", rate=0.5))
    run, judge = trainer(tmp_path, dataclasses.replace(RECIPE, stages=stages, iterations=4), {2: 0.0, 4: 0.0})
    start = {k: v.clone() for k, v in run.network.state_dict().items()}
    states = []
    judge.on_step = lambda report: states.append(  # type: ignore[method-assign]
        {k: v.clone() for k, v in run.network.state_dict().items()}
    )

    run.run()

    backbone = [name for name in start if name.startswith("backbone.")]
    head = "head.conf_layer.weight"
    assert all(torch.equal(states[1][name], start[name]) for name in backbone)
    assert not torch.equal(states[1][head], start[head])
    assert not all(torch.equal(states[3][name], start[name]) for name in backbone)


def test_a_stages_rate_multiplies_the_learning_rate():
    stages = (Stage(0.5, None, "none"), Stage(1.0, None, "none", rate=0.1))
    slow = dataclasses.replace(RECIPE, stages=stages)
    plain = dataclasses.replace(RECIPE, stages=(Stage(1.0, None, "none"),))
    assert slow.learning_rate_at(2) == plain.learning_rate_at(2)
    assert slow.learning_rate_at(4) == pytest.approx(0.1 * plain.learning_rate_at(4))


def test_of_equally_good_states_the_later_one_is_the_best_but_brings_nothing():
    verdict = Verdict().after(1, 0.5).after(2, 0.5)
    assert (verdict.best_iteration, verdict.stale) == (2, 1)


@pytest.mark.parametrize("figure", [None, math.nan])
def test_a_measurement_without_a_figure_says_nothing(figure: float | None):
    verdict = Verdict().after(1, 0.5)
    assert verdict.after(2, figure) == verdict


def test_a_measurement_that_is_made_anew_counts_once():
    verdict = Verdict().after(1, 0.5).after(2, 0.1)
    assert verdict.after(2, 0.1) == verdict
    assert Verdict.from_dict(verdict.to_dict()) == verdict
