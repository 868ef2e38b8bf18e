"""`train` of a proposal network: both stages, resuming, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.cli import EXIT_OK, main
from model.checkpoints.sharpmask import load_sharpmask, save_sharpmask
from model.checkpoints.yolact import load_checkpoint
from model.sharpmask.config import SHARPMASK_PRESETS
from tests.model.sharpmask.networks import tiny
from tests.source_tree import ROOT
from tests.tiny_data import coco_json


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return coco_json(tmp_path / "data", {"a.png": [(20, 20, 110, 80)]}, size=(160, 120))


def train(output: Path, *arguments: object) -> int:
    given = ["--output", output, "--workers", 0, "--device", "cpu", *arguments]
    return main(["train", *map(str, given)])


def stage(name: str, data: Path, *arguments: object) -> list[object]:
    return ["--config", "sharpmask_lite", "--stage", name, "--data", data, "--batch-size", 2, *arguments]


def test_both_stages_one_after_the_other(data: Path, tmp_path: Path, capsys):
    first, second = tmp_path / "mask", tmp_path / "refine"

    assert train(first, *stage("mask", data, "--iterations", 2)) == EXIT_OK
    assert (
        train(second, *stage("refine", data, "--iterations", 1, "--weights", first / "final.pt")) == EXIT_OK
    )

    network = load_sharpmask(second / "final.pt")
    trunk = load_checkpoint(ROOT / "weights" / "livemask_s.pt").backbone.state_dict()
    assert network.config == SHARPMASK_PRESETS["sharpmask_lite"]
    assert all((trunk[k] - v).abs().max() < 1e-2 for k, v in network.trunk.state_dict().items())
    rows = (first / "log.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["iteration", "0", "1"]
    assert [path.name for path in (second / "previews").iterdir()] == ["0000001.jpg"]
    assert "weights:" in capsys.readouterr().err


def test_a_run_is_gone_on_with_by_its_own_settings(data: Path, tmp_path: Path):
    run = tmp_path / "run"
    train(run, *stage("mask", data, "--iterations", 1))

    assert train(run, "--resume") == EXIT_OK
    assert load_sharpmask(run / "final.pt").config.name == "sharpmask_lite"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--stage", "refine"], "needs --weights of the mask stage"),
        (["--stage", "mask", "--iterations", "1", "--weights", "{tiny}"], "is a tiny, not a sharpmask_lite"),
        (["--config", "deepmask_lite", "--stage", "refine", "--weights", "{deep}"], "no refinement to train"),
        (["--config", "sharpmask_resnet50", "--stage", "mask", "--init", "livemask_s"], "leave --init out"),
    ],
    ids=lambda value: value[1] if isinstance(value, list) else "",
)
def test_what_cannot_be_trained_is_refused(
    data: Path, tmp_path: Path, arguments: list[str], told: str, capsys
):
    files = {"tiny": tmp_path / "tiny.pt", "deep": tmp_path / "deep.pt"}
    save_sharpmask(files["tiny"], tiny())
    save_sharpmask(files["deep"], tiny(SHARPMASK_PRESETS["deepmask_lite"]))
    named = [argument.format(**files) for argument in arguments]
    config = [] if "--config" in named else ["--config", "sharpmask_lite"]

    assert train(tmp_path / "run", *config, *named, "--data", data) != EXIT_OK

    assert told in capsys.readouterr().err
    assert not (tmp_path / "run" / "last.pt").exists()


def test_a_proposal_network_needs_a_stage_and_others_know_none(data: Path, tmp_path: Path, capsys):
    assert train(tmp_path / "a", "--config", "sharpmask_lite", "--data", data) != EXIT_OK
    assert "name its --stage: mask or refine" in capsys.readouterr().err

    assert train(tmp_path / "b", "--config", "livemask_s", "--stage", "mask", "--data", data) != EXIT_OK
    assert "no proposal network 'livemask_s'" in capsys.readouterr().err


def test_a_folder_that_holds_a_run_is_not_overwritten(data: Path, tmp_path: Path, capsys):
    train(tmp_path / "run", *stage("mask", data, "--iterations", 1))

    assert train(tmp_path / "run", *stage("mask", data, "--iterations", 1)) != EXIT_OK
    assert "holds a run already" in capsys.readouterr().err
