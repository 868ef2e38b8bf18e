"""Ground truth that is shaken by seed: by as much as was asked for, and the same each time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from model.detections import Detections
from pipeline.stability.synthetic import STEADY, JitteredTruth, JitterOptions, jittered
from tests.pipeline.stability.scenes import BOX, HEIGHT, WIDTH, moving, rectangle, still, texture

MANY = 300


def centres(frames: Sequence[Detections]) -> NDArray[np.float64]:
    """Each frame's centre of gravity of its one mask, x and y."""
    places = [np.argwhere(frame.masks[0]).mean(axis=0)[::-1] for frame in frames if len(frame)]
    return np.array(places)


def shaken(options: JitterOptions, seed: int = 0, count: int = MANY) -> list[Detections]:
    return list(jittered(still(count).truth, seed, options, ("cat", "dog")))


def same(one: Sequence[Detections], other: Sequence[Detections]) -> bool:
    return all(
        np.array_equal(a.masks, b.masks)
        and np.array_equal(a.scores, b.scores)
        and np.array_equal(a.classes, b.classes)
        and np.array_equal(a.boxes, b.boxes)
        and (a.track_ids is None) == (b.track_ids is None)
        and (a.track_ids is None or np.array_equal(a.track_ids, b.track_ids))
        for a, b in zip(one, other, strict=True)
    )


def test_nothing_asked_for_is_the_ground_truth_itself():
    clip = moving(5, dx=30, dy=9)

    for truth, seen in zip(clip.truth, jittered(clip.truth, 0), strict=True):
        assert np.array_equal(seen.masks[0], truth > 0)
        assert (seen.names, seen.scores, seen.track_ids) == (("object",), pytest.approx([0.9]), [1])
        y, x = np.nonzero(truth)
        assert seen.boxes.tolist() == [[x.min(), y.min(), x.max() + 1, y.max() + 1]]


ALL = JitterOptions(
    shift=3, scale=0.05, boundary=2, drop=0.2, score_noise=0.1, id_change=0.1, class_change=0.1, lag=2
)


def test_the_same_seed_gives_the_same_and_another_one_gives_others():
    assert same(shaken(ALL, 5, 20), shaken(ALL, 5, 20))
    assert not same(shaken(ALL, 5, 20), shaken(ALL, 6, 20))


def test_shifts_have_the_spread_that_was_asked_for():
    places = centres(shaken(JitterOptions(shift=4)))

    assert places.mean(axis=0) == pytest.approx(centres(shaken(STEADY, count=1))[0], abs=1)
    assert places.std(axis=0) == pytest.approx([4, 4], rel=0.15)


def test_scales_have_the_spread_that_was_asked_for_about_the_centre():
    frames = shaken(JitterOptions(scale=0.1))

    sizes = np.sqrt([frame.masks[0].sum() / (BOX[2] * BOX[3]) for frame in frames])
    assert np.log(sizes).std() == pytest.approx(0.1, rel=0.15)
    assert np.abs(centres(frames) - centres(shaken(STEADY, count=1))).max() < 0.6


def test_boundaries_are_displaced_by_as_much_as_was_asked_for():
    frames = shaken(JitterOptions(boundary=3), count=100)

    # the upper edge, away from its corners
    column = rectangle(*BOX)[:, 150]
    first = int(np.argmax(column))
    edges = np.array([np.argmax(frame.masks[0][:, 150]) for frame in frames]) - first
    assert edges.mean() == pytest.approx(0, abs=1)
    assert edges.std() == pytest.approx(3, rel=0.3)


def test_masks_are_dropped_as_often_as_was_asked_for_and_the_others_stay_as_they_are():
    whole, holed = shaken(JitterOptions(shift=4)), shaken(JitterOptions(shift=4, drop=0.3))

    there = [len(frame) for frame in holed]
    assert np.mean(there) == pytest.approx(0.7, abs=0.08)
    assert same([w for w, k in zip(whole, there, strict=True) if k], [h for h in holed if len(h)])
    assert all(frame.has_masks for frame in holed)


def test_a_dropped_mask_may_be_there_with_a_low_score():
    faint = shaken(JitterOptions(drop=0.3, dropped_score=0.1))

    assert {len(frame) for frame in faint} == {1}
    assert np.mean([frame.scores[0] < 0.2 for frame in faint]) == pytest.approx(0.3, abs=0.08)


def test_what_is_lost_has_no_mask_however_weak_and_the_others_stay_as_they_are():
    faint = shaken(JitterOptions(drop=0.3, dropped_score=0.1))
    holed = shaken(JitterOptions(drop=0.3, dropped_score=0.1, lost=0.2))

    there = [len(frame) for frame in holed]
    assert np.mean(there) == pytest.approx(0.8, abs=0.08)
    assert same([f for f, k in zip(faint, there, strict=True) if k], [h for h in holed if len(h)])


def test_ids_change_for_good_and_classes_for_one_frame():
    frames = shaken(JitterOptions(id_change=0.1, class_change=0.2))

    ids = np.array([frame.track_ids[0] for frame in frames if frame.track_ids is not None])
    changes = np.flatnonzero(np.diff(ids))
    assert len(changes) / MANY == pytest.approx(0.1, abs=0.05)
    assert len(set(ids)) == len(changes) + 1
    assert np.mean([frame.names == ("dog",) for frame in frames]) == pytest.approx(0.2, abs=0.07)


def test_a_lag_shows_the_mask_of_a_while_ago():
    clip = moving(8, dx=5)

    late = list(jittered(clip.truth, 0, JitterOptions(lag=3)))

    for k, seen in enumerate(late):
        assert np.array_equal(seen.masks[0], clip.masks[max(k - 3, 0)])


def test_objects_are_shaken_apart_and_keep_their_labels_as_ids():
    labels = (rectangle(20, 20, 60, 60) + 5 * rectangle(200, 100, 60, 60)).astype(np.uint8)

    (seen,) = jittered([labels], 3, JitterOptions(shift=5))

    assert sorted(seen.track_ids.tolist() if seen.track_ids is not None else []) == [1, 5]
    first, second = (np.subtract(seen.boxes[i, :2], at) for i, at in enumerate(((20, 20), (200, 100))))
    assert not np.array_equal(first, second)


def test_what_is_shaken_out_of_the_frame_is_gone_and_an_empty_frame_stays_empty():
    corner = rectangle(0, 0, 3, 3).astype(np.uint8)

    frames = list(jittered([corner] * 50 + [corner * 0], 0, JitterOptions(shift=6)))

    assert {len(frame) for frame in frames} == {0, 1}
    assert len(frames[-1]) == 0
    assert all(frame.masks.any() for frame in frames if len(frame))


def test_it_stands_in_for_a_predictor():
    clip = still(3)
    predictor = JitteredTruth(clip.truth, 1, JitterOptions(shift=2, tracked=False), ("cat",))

    seen = [*predictor(clip.frames[:2]), *predictor(clip.frames[2:])]

    assert (predictor.class_names, predictor.score_threshold) == (("cat",), 0)
    assert same(seen, list(jittered(clip.truth, 1, JitterOptions(shift=2, tracked=False), ("cat",))))
    assert seen[0].track_ids is None
    with pytest.raises(ValueError, match="more frames than there are masks"):
        predictor(clip.frames[:1])
    with pytest.raises(ValueError, match=r"expected a frame of \(240, 320\)"):
        JitteredTruth(clip.truth, 1)([texture(0, HEIGHT, WIDTH - 1)])


@pytest.mark.parametrize(
    "options",
    [
        {"shift": -1},
        {"scale": float("nan")},
        {"boundary": float("inf")},
        {"drop": 1.1},
        {"lost": -0.1},
        {"grain": 0},
        {"lag": -1},
    ],
)
def test_amounts_that_cannot_be_are_refused(options: dict[str, float]):
    with pytest.raises(ValueError, match=r"expected .* got"):
        JitterOptions(**options)  # type: ignore[arg-type]
