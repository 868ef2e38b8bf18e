"""What is followed in arrays is what is followed in tensors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from model.detection.postprocessing import Found
from model.detection.raw_outputs import RawOutputs
from model.host.detection import HostFound
from model.host.outputs import ImageOutputs
from pipeline.tracking.following import make_follower
from pipeline.tracking.options import STABILISE_KINDS, FollowOptions
from tests.pipeline.tracking.device_followers import make_device_follower
from tests.pipeline.tracking.tracker_inputs import SIZE, frame_at

THRESHOLDS = (0.3, 0.5)
COUNT = 6


def scene(index: int, terms: int) -> HostFound:
    """Boxes that wander, some of them weak, with coefficients that tremble."""
    rng = np.random.default_rng(index)
    places = np.random.default_rng(99).uniform(0, 0.7, (COUNT, 2)) + 0.004 * index
    boxes = np.concatenate([places, places + 0.25], axis=1) + rng.normal(size=(COUNT, 4)) * 0.004
    order = np.argsort(-rng.uniform(0.2, 1.0, COUNT))
    scores = np.sort(rng.uniform(0.2, 1.0, COUNT))[::-1]
    steady = np.random.default_rng(7).normal(size=(COUNT, 4 + terms))
    coefficients = np.tanh(steady + rng.normal(size=steady.shape) / 9)
    classes = np.arange(COUNT) % 2
    parts = boxes[order].astype(np.float32), scores.astype(np.float32)
    return HostFound(parts[0], parts[1], parts[1], classes[order], coefficients[order].astype(np.float32))


@pytest.mark.parametrize("terms", [0, 6])
@pytest.mark.parametrize("stabilise", STABILISE_KINDS)
def test_arrays_and_tensors_are_followed_alike(stabilise: str, terms: int):
    options = FollowOptions(stabilise=stabilise)
    on_host, on_device = make_follower(options), make_device_follower(options)
    prototypes = np.random.default_rng(1).normal(size=(30, 50, 4)).clip(0).astype(np.float32)
    nothing = np.zeros((0, 0), np.float32)
    outputs = ImageOutputs(nothing, nothing, nothing, prototypes)
    empty = torch.zeros(1, 0)
    raw = RawOutputs(empty, empty, empty, torch.from_numpy(prototypes)[None])
    followed = 0
    for index in range(8):
        here, frame = scene(index, terms), frame_at(index)
        assert frame.size == SIZE
        expected = on_device(as_found(here), raw, THRESHOLDS, [frame])
        found = on_host(here, outputs, THRESHOLDS, frame)
        rows = expected.valid[0]
        assert found.track_ids is not None
        np.testing.assert_array_equal(found.track_ids, expected.track_ids[0, rows])
        for name in ("boxes", "scores", "classes", "coefficients"):
            np.testing.assert_allclose(getattr(found, name), getattr(expected, name)[0, rows], atol=1e-5)
        followed += len(found.scores)
    assert COUNT < followed < 8 * COUNT  # some were dropped


def as_found(found: HostFound) -> Found:
    names = ("boxes", "scores", "box_scores", "classes", "coefficients")
    parts = {name: torch.from_numpy(np.array(getattr(found, name)))[None] for name in names}
    return Found(valid=torch.ones(1, COUNT, dtype=torch.bool), masks=None, bounds=None, **parts)
