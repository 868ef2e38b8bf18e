"""Known cases are put in the right order: on computed video, on the demo clip and on DAVIS."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from assets.make_demo_video import scene
from pipeline.stability.records import StabilitySummary
from pipeline.stability.synthetic import JitterOptions, jittered
from tests.pipeline.stability.scenes import Clip, davis, measure, moving

AMPLITUDES = (0.0, 1.0, 3.0, 9.0)


def summaries(clip: Clip, options: list[JitterOptions], with_truth: bool = True) -> list[StabilitySummary]:
    truth = clip.truth if with_truth else None
    return [measure(clip.frames, jittered(clip.truth, 0, o), truth)[0] for o in options]


def falls(values: list[float | None]) -> bool:
    """Whether each value is there and less than the one before."""
    return all(a is not None and b is not None and b < a for a, b in pairwise(values))


@pytest.mark.parametrize("with_truth", [True, False])
@pytest.mark.parametrize("amount", ["shift", "boundary"])
def test_the_more_a_mask_is_shaken_the_less_stable_it_is(amount: str, with_truth: bool):
    options = [JitterOptions(**{amount: a}) for a in AMPLITUDES]  # type: ignore[arg-type]

    told = summaries(moving(10, dx=3), options, with_truth)

    assert falls([s.stability for s in told])
    assert falls([s.jitter for s in told[::-1]])
    assert falls([s.boundary_jitter for s in told[::-1]])


@pytest.mark.parametrize("with_truth", [True, False])
def test_drop_outs_new_ids_and_nothing_at_all_rank_below_steady_masks(with_truth: bool):
    steady, dropping, changing, nothing = summaries(
        moving(20, dx=2),
        [JitterOptions(), JitterOptions(drop=0.2), JitterOptions(id_change=0.2), JitterOptions(drop=1)],
        with_truth,
    )

    assert falls([steady.stability, dropping.stability, nothing.stability])
    assert falls([steady.stability, changing.stability, nothing.stability])
    assert (nothing.stability, steady.failed, dropping.failed) == (0, None, None)
    assert nothing.failed is not None
    assert changing.id_changes > 0 == steady.id_changes


def demo(first: int, count: int) -> Clip:
    """Frames of the demo clip as they were computed; everyone's label is their place in the alphabet."""
    frames, truth = [], []
    for k in range(first, first + count):
        image, masks = scene(k)
        labels = np.zeros(image.shape[:2], np.uint8)
        for label, name in enumerate(sorted(masks), 1):
            labels[masks[name]] = label
        frames.append(image)
        truth.append(labels)
    return Clip(frames, truth)


def test_the_people_of_the_demo_clip_are_still_in_themselves_and_a_cut_parts_the_shots():
    steady, shaken = summaries(demo(46, 8), [JitterOptions(), JitterOptions(shift=3)])

    assert steady.breaks == (4,)
    assert steady.truth_jitter is not None
    assert steady.truth_jitter < 0.06
    assert (steady.stability, steady.id_changes, steady.missing) == (1, 0, 0)
    assert falls([steady.stability, shaken.stability])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "own"), [("car-shadow", 0.03), ("dog", 0.06), ("breakdance", 0.15)])
def test_real_ground_truth_has_little_jitter_of_its_own_and_shaken_masks_rank_by_amplitude(
    name: str, own: float
):
    told = summaries(davis(name, 30), [JitterOptions(shift=a) for a in AMPLITUDES])

    assert told[0].truth_jitter is not None
    assert told[0].truth_jitter < own
    assert (told[0].excess, told[0].stability, told[0].iou) == (0, 1, 1)
    assert falls([s.stability for s in told])
    assert falls([s.iou for s in told])
    assert falls([s.excess for s in told[::-1]])
    assert falls([s.boundary_excess for s in told[::-1]])
