"""`eval --proposals`: average recall from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, main
from model.checkpoints.sharpmask import save_sharpmask
from tests.model.sharpmask.networks import tiny
from tests.tiny_data import coco_json


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    save_sharpmask(tmp_path / "tiny.pt", tiny())
    return tmp_path / "tiny.pt"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return coco_json(
        tmp_path / "data", {"a.png": [(10, 10, 50, 40)], "b.png": [(4, 4, 30, 30), (30, 10, 60, 44)]}
    )


def run(*arguments: object) -> int:
    return main(["eval", "--proposals", *map(str, arguments)])


def test_recall_of_boxes_and_masks_is_told_and_written(weights: Path, data: Path, tmp_path: Path, capsys):
    out = tmp_path / "out"

    assert run("--weights", weights, "--data", data, "--topn", 50, "-o", out) == EXIT_OK

    told = capsys.readouterr().out
    assert "tiny on labels.json, 2 images, 3 objects, torch fp32: masks" in told
    assert all(head in told for head in ("AR@10", "AR@1000", "AUC", "s an image"))
    figures = json.loads((out / "proposals.json").read_text())["all"]
    assert figures["objects"] == 3
    assert 0 <= figures["boxes"]["at"]["10"] <= figures["boxes"]["at"]["1000"] <= 1


def test_settings_are_compared_in_all_combinations(weights: Path, data: Path, capsys):
    compared = ["--compare", "refine=off,on", "topn=5,20"]

    assert run("--weights", weights, "--data", data, "--resamples", 0, *compared) == EXIT_OK

    told = capsys.readouterr().out
    for label in ("refine=off topn=5", "refine=off topn=20", "refine=on topn=5", "refine=on topn=20"):
        assert label in told


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["--compare", "nms=fast,exact"], "no setting of proposals"),
        (["--weights", "livemask_s"], "is no proposal network"),
    ],
)
def test_what_is_no_matter_of_proposals_is_refused(
    weights: Path, data: Path, wrong: list[str], told: str, capsys
):
    given = wrong if "--weights" in wrong else ["--weights", str(weights), *wrong]

    assert run("--data", data, *given) in (EXIT_FAILED, EXIT_USAGE)

    assert told in capsys.readouterr().err


def test_settings_of_proposals_need_the_flag(data: Path, capsys):
    assert main(["eval", "--data", str(data), "--compare", "zoom=0,1"]) in (EXIT_FAILED, EXIT_USAGE)

    assert "add --proposals" in capsys.readouterr().err
