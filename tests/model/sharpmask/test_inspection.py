"""Looking into a proposal network: its scores, and how each mask grows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.checkpoints.sharpmask import save_sharpmask
from model.detections import MaskCrop
from model.errors import ConfigError
from model.sharpmask.engines import torch_engines
from model.sharpmask.inspection import first_component, inspect
from model.sharpmask.paste import paste
from model.sharpmask.predictor import ProposalOptions, ProposalPredictor, load_proposal_predictor
from tests.model.sharpmask.networks import TINY, tiny

SCALES = (0.5, 1.0)
OPTIONS = ProposalOptions(scales=SCALES, top_n=9, nms_iou=0.7)
FRAME = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)


@pytest.mark.parametrize("refine", [True, False])
def test_what_is_looked_into_is_what_the_predictor_finds(refine: bool):
    options = replace(OPTIONS, refine=refine)
    found = ProposalPredictor(tiny(), options)(FRAME)

    seen = inspect(tiny(), FRAME, options)

    assert len(seen.proposals) == 9
    assert len(seen.growths) == len(found) > 1
    assert seen.detections.boxes.tolist() == found.boxes.tolist()
    assert seen.detections.scores.tolist() == found.scores.tolist()
    assert (seen.detections.masks == found.masks).all()


def test_each_scale_has_a_map_of_scores_around_the_centres_of_its_windows():
    seen = inspect(tiny(), FRAME, replace(OPTIONS, nms_iou=None))

    assert [one.scores.shape for one in seen.maps] == [(3, 3), (4, 5)]
    assert [one.window for one in seen.maps] == [64, 32]
    assert [one.place for one in seen.maps] == [(-16, -16, 80, 80), (-8, -8, 72, 56)]
    assert max(one.scores.max() for one in seen.maps) == pytest.approx(seen.proposals.scores[0])
    for growth, row in zip(seen.growths, seen.proposals.windows, strict=True):
        level, r, c = row.tolist()
        scores = seen.maps[level]
        step = (scores.place[2] - scores.place[0]) / scores.scores.shape[1]
        assert growth.score == pytest.approx(scores.scores[r, c])
        assert (growth.place[0] + growth.place[2]) / 2 == scores.place[0] + (c + 0.5) * step
        assert (growth.place[1] + growth.place[3]) / 2 == scores.place[1] + (r + 0.5) * step


def test_a_mask_grows_from_the_code_to_the_window():
    seen = inspect(tiny(), FRAME, OPTIONS)

    for growth, crop in zip(seen.growths, seen.detections.crops or (), strict=True):
        assert growth.coarse.shape == (14, 14)
        assert [one.shape[0] for one in growth.encodings] == [2, 4, 8, 16, 32]
        assert all(0 <= one.min() <= one.max() <= 1 for one in growth.encodings)
        assert growth.refined is not None
        left, top = (round(edge * growth.scale) for edge in growth.place[:2])
        logits = np.log(growth.refined / (1 - growth.refined))
        again = paste(logits, growth.scale, (top, left), (40, 56), TINY.window)
        assert (again.paste(40, 56) == crop.paste(40, 56)).all()
        assert growth.masks[1] is crop


def test_deepmask_has_coarse_masks_alone():
    seen = inspect(tiny(replace(TINY, refine_width=0)), FRAME, OPTIONS)

    for growth in seen.growths:
        assert growth.encodings == ()
        assert growth.refined is None
        assert growth.masks[0] is growth.masks[1]


def test_the_growth_of_a_mask_is_that_of_the_detection_it_overlaps_most():
    seen = inspect(tiny(), FRAME, OPTIONS)
    crops = seen.detections.crops or ()

    assert [seen.growth_of(crop) for crop in crops] == list(seen.growths)
    assert seen.growth_of(MaskCrop(0, 0, np.zeros((0, 0), bool))) is None


def test_a_frame_of_another_form_is_refused():
    with pytest.raises(ConfigError):
        inspect(tiny(), FRAME[..., 0], OPTIONS)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_first_component_is_the_pattern_of_the_channels_bright_where_the_mask_is(sign: int):
    mask = torch.zeros(1, 8, 8)
    mask[:, 2:4, 2:6] = 1
    pattern = torch.nn.functional.avg_pool2d(mask, 2)
    channels = torch.tensor([3.0, -2.0, 0.5]).view(1, 3, 1, 1) * pattern + torch.tensor(7.0)

    component = first_component(sign * channels, 20 * mask - 10)

    assert torch.allclose(component, pattern, atol=1e-5)


def test_of_pixels_that_are_all_alike_the_first_component_is_nothing():
    assert (
        first_component(torch.ones(2, 3, 4, 4), torch.zeros(2, 8, 8)).tolist() == np.zeros((2, 4, 4)).tolist()
    )


def test_a_predictor_of_engines_loads_its_network_to_be_looked_into():
    network = tiny()
    predictor = ProposalPredictor(torch_engines(network), OPTIONS, load_network=lambda: network)

    seen = inspect(predictor.network, FRAME, predictor.options, predictor.engines)

    assert seen.detections.boxes.tolist() == predictor(FRAME).boxes.tolist()
    with pytest.raises(ConfigError, match="engines alone"):
        _ = ProposalPredictor(predictor.engines).network


@pytest.mark.slow
def test_a_network_that_openvino_runs_is_looked_into_all_the_same(tmp_path: Path):
    save_sharpmask(tmp_path / "a.pt", tiny())
    predictor = load_proposal_predictor(tmp_path / "a.pt", OPTIONS, engine="openvino", precision="fp32")

    seen = inspect(predictor.network, FRAME, predictor.options, predictor.engines)

    assert predictor.network is predictor.with_options(top_n=3).network
    assert seen.detections.boxes.tolist() == predictor(FRAME).boxes.tolist()
