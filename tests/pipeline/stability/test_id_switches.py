"""What comes and goes: gaps, classes and ids that change, counted exactly."""

from __future__ import annotations

import numpy as np
import pytest

from model.detections import Detections
from pipeline.stability.meter import StabilityMeter
from tests.pipeline.stability.scenes import (
    BOX,
    HEIGHT,
    WIDTH,
    Mask,
    found,
    measure,
    moving,
    rectangle,
    still,
)

LEFT, RIGHT = rectangle(30, 60, 80, 80), rectangle(200, 60, 80, 80)
EMPTY = np.zeros((HEIGHT, WIDTH), dtype=bool)


@pytest.mark.parametrize("missing", [[], [EMPTY]], ids=["no mask", "an empty mask"])
def test_drop_outs_are_counted_frame_by_frame(missing: list[Mask]):
    clip, out = still(12), {3, 4, 7}
    seen = [found(missing) if k in out else found([LEFT]) for k in range(12)]

    summary, scores = measure(clip.frames, seen)

    (track,) = summary.tracks
    assert (track.gaps, track.missing, track.seen) == (((3, 2), (7, 1)), 3, 9)
    assert (summary.gaps, summary.missing, summary.empty_masks) == (2, 3, 3 * len(missing))
    assert summary.coverage == pytest.approx(9 / 12)
    # of the 11 frames that follow one, 3 have no mask and 2 begin anew
    assert summary.stability == track.stability == pytest.approx(6 / 11)
    assert [
        moment.missing_before for score in scores for moment in score.moments if score.index in {5, 8}
    ] == [2, 1]
    assert summary.jitter == 0


def test_an_end_is_no_gap():
    seen = [found([LEFT]) if 2 <= k < 6 else found([]) for k in range(9)]

    (track,) = measure(still(9).frames, seen)[0].tracks

    assert (track.first, track.last, track.seen, track.missing, track.gaps) == (2, 5, 4, 0, ())


def test_while_its_object_is_hidden_a_track_is_not_missing():
    clip = still(8)
    truth = [labels * 0 if k in (3, 4) else labels for k, labels in enumerate(clip.truth)]
    mask = clip.masks[0]
    seen = [found([]) if k in (3, 4, 5) else found([mask]) for k in range(8)]

    known, _ = measure(clip.frames, seen, truth)
    unknown, _ = measure(clip.frames, seen)

    assert (known.missing, known.tracks[0].gaps) == (1, ((5, 1),))
    assert (unknown.missing, unknown.tracks[0].gaps) == (3, ((3, 3),))


def test_classes_that_change_are_counted_also_after_a_gap():
    classes = [0, 0, 1, 1, None, 0, 0]
    seen = [found([]) if c is None else found([LEFT], classes=[c]) for c in classes]

    summary, scores = measure(still(7).frames, seen)

    assert summary.tracks[0].class_changes == (2, 5)
    assert (summary.class_changes, summary.tracks[0].class_name) == (2, "cat")
    assert [s.index for s in scores for m in s.moments if m.class_changed] == [2, 5]


def test_nothing_is_counted_across_a_break():
    meter, frame, label = StabilityMeter(), still(1).frames[0], LEFT.astype(np.uint8)

    meter.add(frame, found([LEFT], ids=[1], classes=[0]), 0.0, label)
    meter.add(frame, found([]), 0.1, label)
    meter.add(frame, found([LEFT], ids=[1], classes=[1]), 9.0, label)
    meter.add(frame, found([LEFT], ids=[2]), 20.0, label)

    summary = meter.summary()
    assert summary.breaks == (2, 3)
    assert (summary.missing, summary.class_changes, summary.id_changes, summary.jitter) == (0, 0, 0, None)


def ids_of_left(ids: list[int | None]) -> list[Detections]:
    """The left mask under these ids, None where it is missing; another track stays to its right."""
    return [found([RIGHT], ids=[99]) if i is None else found([LEFT, RIGHT], ids=[i, 99]) for i in ids]


def test_a_track_that_takes_anothers_place_is_a_change_of_id():
    summary, scores = measure(still(6).frames, ids_of_left([1, 1, 2, 2, 2, 2]))

    by_id = {track.track: track for track in summary.tracks}
    assert by_id[2].id_changes == (2,)
    assert (summary.id_changes, by_id[1].id_changes, by_id[99].id_changes) == (1, (), ())
    assert [(s.index, m.replaced) for s in scores for m in s.moments if m.replaced] == [(2, 1)]


def test_so_is_one_that_does_so_after_a_few_frames_and_one_that_returns():
    late, _ = measure(still(8).frames, ids_of_left([1, 1, None, None, None, 2, 2, 2]))
    too_late, _ = measure(still(10).frames, ids_of_left([1, *[None] * 6, 2, 2, 2]))
    returned, _ = measure(still(7).frames, ids_of_left([1, 1, 2, 2, 1, 1, 1]))

    assert (late.id_changes, too_late.id_changes, returned.id_changes) == (1, 0, 2)


def test_a_track_that_comes_back_where_it_was_is_no_change_of_id():
    summary, _ = measure(still(7).frames, ids_of_left([1, 1, None, None, 1, 1, 1]))

    assert (summary.id_changes, summary.missing) == (0, 2)


def test_places_move_along_with_the_picture():
    clip = moving(8, dx=12)
    ids = [1, 1, 1, None, None, 2, 2, 2]
    seen = [
        found([]) if i is None else found([mask], ids=[i]) for i, mask in zip(ids, clip.masks, strict=True)
    ]

    # the object is 24 px farther on than where it was seen last, and 100 px wide
    assert measure(clip.frames, seen)[0].id_changes == 1


def test_with_ground_truth_an_object_changes_its_id_when_another_track_matches_it():
    clip = still(8)
    mask = clip.masks[0]
    ids = [1, 1, 2, None, 2, None, 3, 1]
    seen = [found([]) if i is None else found([mask], ids=[i]) for i in ids]

    summary, _ = measure(clip.frames, seen, clip.truth)

    assert summary.objects[0].id_changes == (2, 6, 7)
    assert summary.id_changes == 3
    assert summary.matched == pytest.approx(6 / 8)


def test_ids_that_two_objects_swap_are_two_changes_and_the_jump_is_an_excess():
    labels = (LEFT + 2 * RIGHT).astype(np.uint8)
    seen = [found([LEFT, RIGHT], ids=[1, 2] if k < 3 else [2, 1]) for k in range(6)]

    summary, scores = measure(still(6).frames, seen, [labels] * 6)

    assert [scored.id_changes for scored in summary.objects] == [(3,), (3,)]
    assert [moment.excess for moment in scores[3].moments] == [1, 1]
    assert [track.labels for track in summary.tracks] == [(1, 2), (2, 1)]
    assert summary.iou == 1
    assert summary.stability == pytest.approx(4 / 5)


def test_detections_are_assigned_one_to_one_so_that_the_overlap_of_all_is_largest():
    near, far = rectangle(100, 60, 80, 80), rectangle(140, 60, 80, 80)
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[near & ~far], labels[far] = 1, 2
    # the first overlaps both objects, the second one only the far one
    seen = found([rectangle(110, 60, 80, 80), far], ids=[7, 8])

    _, (score,) = measure(still(1).frames, [seen], [labels])

    assert [moment.label for moment in score.moments] == [1, 2]
    assert (score.objects, score.matched) == (2, 1)
    assert score.iou == pytest.approx((30 / 90 + 1) / 2)


def test_an_object_that_nothing_overlaps_counts_as_0():
    clip = still(4)
    seen = [
        found([rectangle(BOX[0] + 1, BOX[1], BOX[2], BOX[3])] if k != 2 else [RIGHT & ~clip.masks[0]])
        for k in range(4)
    ]

    summary, scores = measure(clip.frames, seen, clip.truth)

    there = 99 / 101
    assert [score.iou for score in scores] == pytest.approx([there, there, 0, there])
    assert summary.iou == pytest.approx(3 * there / 4)
    assert summary.iou_change == pytest.approx(2 * there / 3)
