"""What is asked of every tracker."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from pipeline.tracking import TRACKERS
from pipeline.tracking.base import LOST, Tracker, TrackerInput
from tests.pipeline.tracking.tracker_inputs import SIZE, Box, box_at, tracker_input, wedge

START = 0.3


@pytest.fixture(params=sorted(TRACKERS))
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def tracker(kind: str) -> Tracker:
    return TRACKERS[kind]()


def ids_at(tracker: Tracker, time: float, *boxes: Box, scores: list[float] | None = None) -> list[int]:
    return tracker.update(tracker_input(boxes, scores, time), START).tolist()


def test_everything_has_an_id_from_its_first_frame_and_keeps_it(tracker: Tracker):
    for i in range(12):
        at = i / 25
        expected = [0, 1] if i < 5 else [0, 1, 2]
        later = [box_at(170)] if i >= 5 else []
        assert ids_at(tracker, at, box_at(30 + 3 * i), box_at(90, 60 - i), *later) == expected


def test_ids_go_with_instances_in_whatever_order_they_come(tracker: Tracker):
    assert ids_at(tracker, 0, box_at(30), box_at(90), box_at(150)) == [0, 1, 2]
    assert ids_at(tracker, 0.04, box_at(151), box_at(31), box_at(91)) == [2, 0, 1]


def test_the_weak_only_continue_what_is_there(tracker: Tracker):
    assert ids_at(tracker, 0.00, box_at(30), box_at(150), scores=[0.9, 0.3]) == [0, -1]
    assert ids_at(tracker, 0.04, box_at(30), box_at(150), scores=[0.2, 0.25]) == [0, -1]
    assert ids_at(tracker, 0.08, box_at(30), box_at(150), scores=[0.1, 0.31]) == [0, 1]


def test_the_strong_come_before_the_weak(tracker: Tracker):
    assert ids_at(tracker, 0, box_at(60)) == [0]
    assert ids_at(tracker, 0.04, box_at(60), box_at(64), scores=[0.25, 0.8]) == [-1, 0]


def test_a_short_miss_keeps_the_id(tracker: Tracker):
    assert ids_at(tracker, 0, box_at(60)) == [0]
    for i in range(1, 20):
        assert ids_at(tracker, i / 25) == []
    assert ids_at(tracker, 20 / 25, box_at(62)) == [0]


def test_what_comes_back_after_a_long_time_is_somebody_new(tracker: Tracker):
    assert ids_at(tracker, 0, box_at(60), box_at(150)) == [0, 1]
    for i in range(1, 26 + round(LOST * 25)):
        assert ids_at(tracker, i / 25, box_at(150)) == [1]
    assert ids_at(tracker, 3, box_at(60), box_at(150)) == [2, 1]


def test_a_long_time_without_any_frame_ends_tracks_too(tracker: Tracker):
    assert ids_at(tracker, 0, box_at(60)) == [0]
    assert ids_at(tracker, LOST + 0.1, box_at(60)) == [1]


def test_after_a_reset_everybody_is_new(tracker: Tracker):
    assert ids_at(tracker, 7, box_at(60), box_at(150)) == [0, 1]
    tracker.reset()
    assert ids_at(tracker, 0, box_at(60), box_at(150)) == [2, 3]
    assert ids_at(tracker, 0.04, box_at(60), box_at(150)) == [2, 3]


def test_time_that_stands_still_or_runs_backwards_harms_nothing(tracker: Tracker):
    for at in (5.0, 5.0, 5.04, 5.04, 3.0, 3.04, 3.9):
        assert ids_at(tracker, at, box_at(60), box_at(150)) == [0, 1]


def test_steps_of_any_length_are_followed(tracker: Tracker):
    steps = np.random.default_rng(0).uniform(0.005, 0.2, 60)
    for at in np.cumsum(steps):
        x = 30 + 40 * at  # 40 pixels a second
        assert ids_at(tracker, at, box_at(x % 400, 60, 60, 100)) == [0]


@pytest.mark.parametrize(
    "odd",
    [
        (math.nan, 0, 10, 10),
        (0, 0, math.inf, 10),
        (50, 50, 50, 90),
        (50, 50, 90, 50),
        (90, 90, 50, 50),
    ],
)
def test_a_box_that_is_not_finite_or_has_no_area_belongs_to_no_track(tracker: Tracker, odd: Box):
    for i in range(3):
        assert ids_at(tracker, i / 25, odd, box_at(60)) == [-1, 0]


def test_nothing_at_all_is_followed_by_nothing(tracker: Tracker):
    assert [ids_at(tracker, i / 25) for i in range(3)] == [[], [], []]
    assert ids_at(tracker, 0.2, box_at(60)) == [0]


def test_hundreds_keep_their_ids(tracker: Tracker):
    places = [(x, y) for x in range(5, 200, 8) for y in range(5, 120, 8)]
    expected = list(range(len(places)))
    assert len(places) > 300
    for i in range(3):
        assert ids_at(tracker, i / 25, *(box_at(x + i, y, 7, 7) for x, y in places)) == expected


def test_the_same_is_said_of_the_same(kind: str):
    def run(one: Tracker) -> list[list[int]]:
        rng = np.random.default_rng(4)
        told = []
        for i in range(40):
            centres = rng.uniform(20, 100, (rng.integers(0, 9), 2))
            boxes = [box_at(x, y) for x, y in centres.tolist()]
            seen = tracker_input(boxes, rng.uniform(0.1, 1, len(boxes)).tolist(), i / 25)
            masks = np.array([wedge(box, lower=bool(n % 2), step=2) for n, box in enumerate(boxes)])
            masks = masks.reshape(len(boxes), SIZE[0] // 2, SIZE[1] // 2)
            told.append(one.update(dataclasses.replace(seen, masks=masks), START).tolist())
        return told

    told = run(TRACKERS[kind]())
    assert told == run(TRACKERS[kind]())
    assert len({number for ids in told for number in ids}) > 10


def test_masks_may_come_go_be_empty_and_lie_on_another_grid(tracker: Tracker):
    box = box_at(60)
    plain = tracker_input([box, box_at(150)])
    for i, step in enumerate((1, 2, None, 5, 0, 0, 1)):
        masks = None
        if step is not None:
            masks = np.zeros((2, SIZE[0] // (step or 1), SIZE[1] // (step or 1)), dtype=bool)
        if step:
            masks[0] = wedge(box, lower=True, step=step)
        seen = TrackerInput(SIZE, plain.boxes, plain.scores, masks, i / 25)
        assert tracker.update(seen, START).tolist() == [0, 1]
