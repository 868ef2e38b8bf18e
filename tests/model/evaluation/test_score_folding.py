"""A calibration that lies in the weights gives the calibrated scores, and changes nothing else."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from model.checkpoints.yolact import load_checkpoint, read_checkpoint, save_checkpoint
from model.config import DetectionConfig
from model.errors import ConfigError
from model.evaluation.calibration import IDENTITY, Platt, calibrated_config, folded_state
from model.options import DetectOptions
from model.predictor import make_predictor
from tests.small_networks import COMPACT, FREE, small_network

PLATT = Platt(2.7, -0.4)
LOW = dataclasses.replace(FREE, detection=DetectionConfig(confidence_threshold=1e-4))


def test_scores_are_calibrated_and_boxes_and_masks_as_they_were():
    network = small_network(FREE)
    images = torch.rand(2, 3, 96, 128)
    with torch.no_grad():
        before = network(images)
        network.load_state_dict(folded_state(network.state_dict(), FREE, PLATT))
        after = network(images)

    expected = PLATT(before.class_logits.double().sigmoid().numpy())
    assert after.class_logits.sigmoid().numpy() == pytest.approx(expected, rel=1e-4)
    assert torch.equal(after.box_deltas, before.box_deltas)
    assert torch.equal(after.mask_coefficients, before.mask_coefficients)


@pytest.mark.parametrize("half", [False, True])
def test_the_same_is_found_in_the_same_order_from_a_file_of_either_precision(tmp_path: Path, half: bool):
    source, output = tmp_path / "in.pt", tmp_path / "out.pt"
    save_checkpoint(source, LOW, small_network(LOW).state_dict(), half=half)
    checkpoint = read_checkpoint(source)
    config = calibrated_config(LOW, PLATT, (0.1, 0.2, 0.3))
    save_checkpoint(output, config, folded_state(checkpoint.state, LOW, PLATT))
    frame = np.random.default_rng(0).integers(0, 255, (80, 120, 3), np.uint8)
    everything = DetectOptions(score_threshold=0.0)

    before, after = (
        make_predictor(load_checkpoint(path), torch.device("cpu"), everything)(frame)
        for path in (source, output)
    )

    assert len(after) == len(before) > 20
    assert (after.classes == before.classes).all()
    assert after.boxes == pytest.approx(before.boxes)
    assert after.scores == pytest.approx(PLATT(before.scores.astype(np.float64)), rel=1e-3)


def test_half_precision_stays_but_for_the_few_tensors_that_hold_class_scores():
    state = {
        key: value.half() if value.ndim > 1 else value
        for key, value in small_network(FREE).state_dict().items()
    }

    folded = folded_state(state, FREE, PLATT)

    changed = {key for key in state if folded[key].dtype != state[key].dtype}
    assert changed == {key for key in state if key.startswith("head.output.") and key.endswith(".weight")}
    assert changed
    for key in changed:
        assert torch.equal(folded[key][FREE.num_classes :], state[key][FREE.num_classes :].float())


def test_the_state_that_was_given_is_not_written_to():
    state = small_network(FREE).state_dict()
    kept = {key: value.clone() for key, value in state.items()}

    folded_state(state, FREE, PLATT)

    assert all(torch.equal(state[key], kept[key]) for key in kept)


def test_a_network_with_anchors_is_refused():
    with pytest.raises(ConfigError, match="compact has anchors and a softmax"):
        folded_state({}, COMPACT, PLATT)


def test_the_configuration_gets_thresholds_and_keeps_as_many_boxes_in_nms():
    config = calibrated_config(FREE, PLATT, (0.1, 0.2, 0.3))

    assert config.detection.class_thresholds == (0.1, 0.2, 0.3)
    assert config.detection.confidence_threshold == pytest.approx(PLATT.of(0.05))
    assert DetectOptions().thresholds(config) == (0.1, 0.2, 0.3)
    unscaled = calibrated_config(FREE, IDENTITY, (0.1, 0.2, 0.3))
    assert unscaled.detection.confidence_threshold == pytest.approx(0.05)
