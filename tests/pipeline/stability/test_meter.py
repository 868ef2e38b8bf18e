"""The measure of stability on video whose jitter and lag are known by construction."""

from __future__ import annotations

import dataclasses
import json
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.detections import Detections, no_detections
from pipeline.stability.meter import StabilityMeter
from pipeline.stability.motion import MotionEstimator
from tests.pipeline.stability.scenes import (
    BOX,
    HEIGHT,
    WIDTH,
    Clip,
    Mask,
    found,
    measure,
    moving,
    rectangle,
    still,
    texture,
)

X, Y, W, H = BOX


def shifted(by: int) -> Mask:
    return rectangle(X + by, Y, W, H)


def test_exact_masks_of_a_rigid_object_hardly_jitter_and_have_no_excess():
    clip = moving(8, dx=4, dy=1)

    summary, _ = measure(clip.frames, (found([mask]) for mask in clip.masks), clip.truth)

    assert summary.jitter is not None
    assert summary.jitter < 0.01
    assert summary.truth_jitter == summary.jitter
    assert (summary.excess, summary.boundary_excess) == (0, 0)
    assert (summary.iou, summary.iou_change, summary.matched, summary.coverage) == (1, 0, 1, 1)
    assert (summary.stability, summary.basis, summary.failed) == (1, "truth", None)


@pytest.mark.parametrize("shift", [1, 5, 20])
def test_a_mask_that_jumps_to_and_fro_jitters_by_a_closed_form(shift: int):
    clip = still(6)
    masks = [shifted(shift * (k % 2)) for k in range(6)]

    summary, scores = measure(clip.frames, (found([mask]) for mask in masks), clip.truth)

    expected = 2 * shift / (W + shift)
    assert [score.jitter for score in scores] == [None, *[pytest.approx(expected)] * 5]
    assert summary.jitter == summary.excess == pytest.approx(expected)
    assert summary.stability == pytest.approx(1 - expected)
    away = (W - shift) / (W + shift)
    assert summary.iou == pytest.approx((1 + away) / 2)
    assert summary.iou_change == pytest.approx(1 - away)
    assert summary.boundary_jitter is not None
    assert summary.boundary_jitter > expected


def test_masks_that_lag_are_still_but_lose_their_iou():
    clip = moving(12, dx=4)
    late = [clip.masks[max(k - 3, 0)] for k in range(12)]
    # as far from the truth as those that lag, now on one side and now on the other
    astray = [rectangle(X + 4 * k + 12 * (-1) ** k, Y, W, H) for k in range(12)]

    lagging, _ = measure(clip.frames[3:], (found([mask]) for mask in late[3:]), clip.truth[3:])
    shaking, _ = measure(clip.frames[3:], (found([mask]) for mask in astray[3:]), clip.truth[3:])

    assert lagging.iou == shaking.iou == pytest.approx((W - 12) / (W + 12))
    assert lagging.excess is not None
    assert shaking.excess is not None
    assert lagging.excess < 0.06
    assert shaking.excess > 0.3


def test_nothing_found_is_a_failure_and_not_stable():
    clip = still(4)
    empty = np.zeros((HEIGHT, WIDTH), dtype=bool)

    for truth in (None, clip.truth):
        nothing, _ = measure(clip.frames, [found([])] * 4, truth)
        hollow, scores = measure(clip.frames, [found([empty])] * 4, truth)

        assert nothing.failed == "nothing was found in any of 4 frames"
        assert hollow.failed == "nothing was found in any of 4 frames; 4 masks are empty"
        for summary in (nothing, hollow):
            assert (summary.stability, summary.jitter, summary.boundary_jitter) == (0, None, None)
            assert (summary.coverage, summary.area_share, summary.tracks) == (0, 0, ())
        assert [(s.masks, s.empty_masks, s.moments) for s in scores] == [(0, 1, ())] * 4


def test_a_mask_over_everything_is_still_but_is_not_the_object():
    clip = moving(5, dx=4)
    everything = np.ones((HEIGHT, WIDTH), dtype=bool)

    summary, _ = measure(clip.frames, [found([everything])] * 5, clip.truth)

    assert summary.jitter == 0
    assert summary.iou == pytest.approx(W * H / (WIDTH * HEIGHT))
    assert (summary.stability, summary.matched, summary.area_share) == (0, 0, 1)
    assert summary.failed is not None
    assert "no mask matches" in summary.failed


@settings(max_examples=12, deadline=None)
@given(data=st.data(), with_truth=st.booleans())
def test_leaving_masks_out_never_makes_it_stabler(data: st.DataObject, with_truth: bool):
    shifts = data.draw(st.lists(st.integers(-15, 15), min_size=8, max_size=8))
    # without ground truth nobody can know that a track should have gone on: its ends stay
    droppable = st.sets(st.integers(0, 7) if with_truth else st.integers(1, 6))
    dropped = data.draw(droppable)
    clip = still(8)
    whole = [found([shifted(s)]) for s in shifts]
    holed = [found([]) if k in dropped else seen for k, seen in enumerate(whole)]
    truth = clip.truth if with_truth else None

    all_there, some_left_out = (measure(clip.frames, seen, truth)[0].stability for seen in (whole, holed))

    assert all_there is not None
    assert some_left_out is not None
    assert some_left_out <= all_there


def test_a_cut_ends_the_comparison_and_costs_nothing():
    shots = Clip([*still(3).frames, *[texture(7)] * 3], [])
    seen = [*[found([shifted(0)], ids=[1])] * 3, *[found([shifted(0)], ids=[2])] * 3]

    for truth in (None, still(6).truth):
        summary, scores = measure(shots.frames, seen, truth)

        assert summary.breaks == (3,)
        assert [score.compared for score in scores] == [False, True, True, False, True, True]
        assert (summary.stability, summary.compared, summary.id_changes) == (1, 4, 0)


def test_another_size_or_a_leap_in_time_begins_a_new_shot():
    meter, frame, seen = StabilityMeter(), still(1).frames[0], found([shifted(0)])
    small = found([rectangle(20, 20, 30, 30, (100, 100))], size=(100, 100))

    meter.add(frame, seen, 0.0)
    meter.add(texture(5, 100, 100), small, 0.1)
    meter.add(frame, seen, 0.2)
    meter.add(frame, seen, 0.1)
    meter.add(frame, seen, 0.1)
    meter.add(frame, seen, 1.2)

    summary = meter.summary()
    assert (summary.breaks, summary.compared, summary.stability) == ((1, 2, 3, 5), 1, 1)
    assert summary.tracks[0].missing == 0


def test_where_no_two_frames_compare_there_is_no_figure():
    none = StabilityMeter().summary()
    one, scores = measure(still(1).frames, [found([shifted(0)])])

    assert (none.stability, none.failed, none.frames) == (None, "there is no frame", 0)
    assert (one.stability, one.jitter, one.coverage) == (None, None, 1)
    assert one.failed is not None
    assert "there is one frame" in one.failed
    assert (scores[0].compared, scores[0].jitter, scores[0].masks) == (False, None, 1)


def test_hundreds_of_instances_each_have_their_figures():
    frames = [texture(1)] * 3
    masks = [rectangle(10 * i, 10 * j, 8, 8) for i in range(20) for j in range(15)]

    summary, scores = measure(frames, [found(masks)] * 3)

    assert (len(summary.tracks), summary.masks, summary.stability) == (300, 300, 1)
    assert scores[1].area_share == pytest.approx(300 * 64 / (WIDTH * HEIGHT))


def test_overlapping_masks_cover_their_pixels_once():
    _, scores = measure(still(1).frames, [found([shifted(0), shifted(10)])])

    assert scores[0].area_share == pytest.approx((W + 10) * H / (WIDTH * HEIGHT))


def test_a_mask_of_no_track_is_seen_but_is_not_stable():
    summary, _ = measure(still(3).frames, [found([shifted(0), shifted(50)], ids=[-1, -1])] * 3)

    assert (summary.coverage, summary.masks, summary.tracks, summary.jitter) == (1, 2, (), None)
    assert (summary.stability, summary.failed) == (0, "no track has masks in two neighbouring frames")


def test_ground_truth_may_be_known_in_some_frames_only():
    clip, meter = still(5), StabilityMeter()

    for k, truth in enumerate([clip.truth[0], None, clip.truth[2], clip.truth[3], None]):
        score = meter.add(clip.frames[k], found([shifted(2 * (k % 2))]), k / 25, truth)
        assert (score.objects is None) == (truth is None)

    summary = meter.summary()
    assert summary.objects[0].frames == 3
    assert summary.objects[0].iou_change == pytest.approx(1 - (W - 2) / (W + 2))
    assert summary.stability == pytest.approx(1 - 4 / (W + 2))


def wrong(**changes: object) -> Detections:
    return dataclasses.replace(found([shifted(0)]), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (wrong(crops=None), "boxes only"),
        (wrong(track_ids=None), "run a tracker"),
        (wrong(image_size=(10, 10)), r"of \(10, 10\)"),
        (found([shifted(0), shifted(9)], ids=[3, 3]), r"\[3\] occur more than once"),
    ],
)
def test_what_cannot_be_measured_is_refused_and_not_counted(seen: Detections, said: str):
    meter = StabilityMeter()

    with pytest.raises(ValueError, match=said):
        meter.add(still(1).frames[0], seen, 0.0)

    assert meter.summary().frames == 0


def test_ground_truth_of_another_size_or_kind_is_refused():
    frame, truth = still(1).frames[0], still(1).truth[0]

    for wrong_truth in (truth[:-1], truth.astype(np.int64)):
        with pytest.raises(ValueError, match="expected ground truth of"):
            StabilityMeter().add(frame, found([]), 0.0, wrong_truth)
    with pytest.raises(ValueError, match="uint8 picture"):
        StabilityMeter().add(frame[..., 0], found([]), 0.0)


def test_a_frame_without_detections_needs_neither_masks_nor_tracks():
    boxes_only = no_detections((HEIGHT, WIDTH), ("cat",), with_masks=False)

    summary, _ = measure(still(2).frames, [boxes_only] * 2)

    assert summary.coverage == 0


def test_the_figures_are_plain_numbers_and_the_same_twice():
    clip = moving(5, dx=3)
    seen = [found([mask, shifted(-60)]) for mask in clip.masks]

    first, second = (measure(clip.frames, seen, clip.truth) for _ in range(2))

    assert first == second
    told = [dataclasses.asdict(record) for record in (first[0], *first[1])]
    assert json.loads(json.dumps(told, allow_nan=False)) == json.loads(json.dumps(told))
    assert kinds(told) <= {int, float, str, bool, type(None)}


def kinds(value: object) -> set[type]:
    """The types of all that is no container."""
    if isinstance(value, dict):
        return set().union(*map(kinds, value.values()))
    if isinstance(value, list | tuple):
        return set().union(*map(kinds, value))
    return {type(value)}


def test_no_frame_but_the_last_is_kept():
    meter, kept = StabilityMeter(), []
    for k in range(10):
        frame, mask = texture(1), shifted(k)
        meter.add(frame, found([mask] if k < 3 else [], ids=[1] if k < 3 else None), k / 25)
        kept += [weakref.ref(frame), weakref.ref(mask)]
        del frame, mask

    assert [ref for ref in kept if ref() is not None] == []


def test_several_meters_of_one_video_share_what_is_found_out_about_its_motion():
    clip = still(4)
    steady, trembling = ([found([shifted(x * (k % 2))]) for k in range(4)] for x in (0, 3))
    alone = [measure(clip.frames, seen)[0] for seen in (steady, trembling)]
    shared, motions = (StabilityMeter(), StabilityMeter()), MotionEstimator()
    for k, frame in enumerate(clip.frames):
        motion = motions(frame, k / 25)
        for meter, seen in zip(shared, (steady, trembling), strict=True):
            meter.add(frame, seen[k], k / 25, motion=motion)
    assert [meter.summary() for meter in shared] == alone


def test_a_meter_that_comes_later_has_nothing_to_compare_its_first_frame_with():
    clip, motions = still(2), MotionEstimator()
    motions(clip.frames[0], 0.0)
    late = StabilityMeter()
    assert not late.add(
        clip.frames[1], found([shifted(0)]), 0.04, motion=motions(clip.frames[1], 0.04)
    ).compared
