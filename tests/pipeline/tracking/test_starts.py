"""What begins a track where every class has a threshold of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from model.config import DetectionConfig
from model.detection.postprocessing import Found
from model.detection.raw_outputs import RawOutputs
from model.options import DetectOptions
from pipeline.tracking.options import FollowOptions
from pipeline.tracking.stage import Instances, TrackingStage, _on_one_scale
from tests.pipeline.tracking.device_followers import make_device_follower
from tests.pipeline.tracking.tracker_inputs import box_at, frame_at, tracker_input
from tests.small_networks import SPARSE

SCORES = st.floats(0, 1, width=32)


@settings(deadline=None)
@given(st.lists(st.tuples(SCORES, SCORES), max_size=6))
@example([(0.0, 0.0), (1.0, 1.4e-45)])  # the quotient is too large for a float32
def test_a_score_lies_over_the_common_threshold_just_where_it_does_over_its_own(
    rows: list[tuple[float, float]],
):
    scores, starts = np.array(rows, np.float32).reshape(-1, 2).T

    scaled, common = _on_one_scale(scores, starts)

    assert scaled.dtype == np.float32
    assert not np.isnan(scaled).any()
    np.testing.assert_array_equal(scaled > np.float32(common), scores > starts)
    assert ((scaled >= 0) & (scaled <= 1)).all()


def test_scores_of_one_threshold_stay_as_they_are():
    scores = np.array([0.2, 0.6], np.float32)
    scaled, common = _on_one_scale(scores, np.array([0.4, 0.4], np.float32))
    assert scaled is scores
    assert common == pytest.approx(0.4)


@settings(deadline=None)
@given(st.lists(SCORES, min_size=2, max_size=6), st.floats(0.1, 0.9))
def test_the_order_of_scores_of_one_class_is_kept(values: list[float], start: float):
    scores = np.sort(np.array([*values, 0.5], np.float32))
    starts = np.full(len(scores), start, np.float32)
    starts[-1] = start / 2  # another class
    scaled, _ = _on_one_scale(scores, starts)
    assert (np.diff(scaled[:-1]) >= 0).all()


def instances(scores: Sequence[float]) -> Instances:
    """Two of class 0 and one of class 1, well apart."""
    seen = tracker_input([box_at(30), box_at(90), box_at(150)], scores)
    return Instances(seen.boxes, seen.scores, np.array([0, 0, 1]), np.zeros((3, 0), np.float32), None)


@pytest.mark.parametrize("options", [FollowOptions(), FollowOptions(stabilise="light")])
def test_a_track_begins_over_the_threshold_of_its_class_and_goes_on_below(options: FollowOptions):
    following = TrackingStage(options)
    starts = np.array([0.7, 0.7, 0.2], np.float32)

    first, stays, _ = following(frame_at(0), instances([0.8, 0.6, 0.3]), starts)
    second, _, _ = following(frame_at(1), instances([0.6, 0.6, 0.15]), starts)

    assert first[0] >= 0
    assert first[1] == -1, "0.6 is not enough for this class"
    assert first[2] >= 0, "0.3 is enough for that class"
    assert stays.tolist() == [True, False, True]
    assert second.tolist() == first.tolist()


def test_what_a_network_found_begins_tracks_by_the_thresholds_of_the_weights():
    detection = DetectionConfig(class_thresholds=(0.7, 0.2, 0.5))
    config = dataclasses.replace(SPARSE, detection=detection)
    thresholds = DetectOptions().thresholds(config)
    boxes = torch.tensor([[0.1, 0.2, 0.2, 0.6], [0.4, 0.2, 0.5, 0.6], [0.7, 0.2, 0.8, 0.6]])
    scores = torch.tensor([[0.6, 0.3, 0.55]])
    found = Found(
        boxes[None],
        scores,
        scores,
        torch.tensor([[0, 1, 2]]),
        torch.ones(1, 3, dtype=torch.bool),
        None,
        None,
        None,
    )
    raw = RawOutputs(torch.zeros(1, 0), torch.zeros(1, 0), torch.zeros(1, 0), None)

    after = make_device_follower(FollowOptions())(found, raw, thresholds, [frame_at(0)])

    assert after.valid[0].tolist() == [False, True, True]
    assert (after.track_ids[0] >= 0).tolist() == [False, True, True]
