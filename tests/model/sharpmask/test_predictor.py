"""Proposal networks as predictors of instances."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model.checkpoints.sharpmask import save_sharpmask
from model.detections import MaskCrop
from model.errors import ConfigError
from model.sharpmask.predictor import (
    ProposalOptions,
    ProposalPredictor,
    detections,
    load_proposal_predictor,
    measuring_options,
)
from model.sharpmask.proposals import Proposals
from tests.model.sharpmask.networks import tiny


def made(*masks: tuple[int, int, int, int]) -> Proposals:
    """Proposals that fill boxes x, y, width, height, best first."""
    crops = tuple(MaskCrop(x, y, np.ones((h, w), bool)) for x, y, w, h in masks)
    scores = np.linspace(0.9, 0.5, len(masks), dtype=np.float32)
    return Proposals(scores, np.zeros((len(masks), 3), np.int64), crops, (60, 80))


def test_of_two_boxes_that_overlap_the_better_one_stays():
    found = detections(made((10, 10, 20, 20), (11, 10, 20, 20), (50, 10, 9, 9)), ProposalOptions())

    assert found.boxes.tolist() == [[10, 10, 30, 30], [50, 10, 59, 19]]
    assert found.names == ("object", "object")
    assert found.masks.sum((1, 2)).tolist() == [400, 81]


def test_a_measurement_keeps_every_proposal():
    found = detections(made(*[(10, 10, 20, 20)] * 30), measuring_options())

    assert len(found) == 30


def test_empty_masks_and_low_scores_are_no_detections():
    proposals = made((10, 10, 20, 20), (0, 0, 0, 0), (50, 10, 9, 9))

    assert len(detections(proposals, ProposalOptions())) == 2
    assert len(detections(proposals, ProposalOptions(score_threshold=0.85))) == 1
    assert len(detections(proposals, ProposalOptions(score_threshold=0.95))) == 0
    assert len(detections(made(), ProposalOptions())) == 0


def test_no_more_are_shown_than_are_asked_for():
    apart = [(20 * n, 10 * m, 9, 9) for n in range(4) for m in range(6)]

    assert len(detections(made(*apart), ProposalOptions())) == 20
    assert len(detections(made(*apart), ProposalOptions(max_detections=3))) == 3


def test_a_file_becomes_a_predictor(tmp_path: Path):
    save_sharpmask(tmp_path / "a.pt", tiny())
    options = ProposalOptions(scales=(0.5, 1.0), top_n=9)
    frame = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)

    predictor = load_proposal_predictor(tmp_path / "a.pt", options, device="cpu")
    alone, (of_list,) = predictor(frame), predictor([frame])

    assert predictor.class_names == ("object",)
    assert alone.boxes.tolist() == of_list.boxes.tolist()
    assert len(alone) >= 1


@pytest.mark.parametrize(
    "wrong",
    [{"top_n": 0}, {"max_detections": 0}, {"scales": ()}, {"score_threshold": 2}, {"probability": -1}],
    ids=str,
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, object]):
    with pytest.raises(ConfigError):
        ProposalOptions(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("zoom", "scales"), [(0, 7), (1, 8), (2, 9)])
def test_zooming_in_is_measured_with_finer_scales(zoom: int, scales: int):
    assert len(measuring_options(zoom).scales) == scales


def test_there_are_two_zooms():
    with pytest.raises(ConfigError, match="zoom should be 0 to 2"):
        measuring_options(3)


def test_a_predictor_has_the_default_options():
    assert ProposalPredictor(tiny()).options == ProposalOptions()


def test_other_options_are_another_predictor_on_the_same_network():
    before = ProposalPredictor(tiny())

    after = before.with_options(top_n=3, nms_iou=None)

    assert (after.options.top_n, after.options.nms_iou) == (3, None)
    assert before.options == ProposalOptions()
    assert after.network is before.network
    with pytest.raises(ConfigError):
        before.with_options(top_n=0)
