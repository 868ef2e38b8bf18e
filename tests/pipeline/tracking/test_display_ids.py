"""How long tracks are there, and which of two sides are the same."""

from __future__ import annotations

import dataclasses

import numpy as np

from model.detections import Detections
from pipeline.tracking.display_ids import TrackMatcher, TrackTimes
from tests.pipeline.live.scenes import Box, found

HERE: Box = (200, 200, 400, 600)
THERE: Box = (700, 200, 900, 600)
FAR: Box = (1000, 0, 1100, 100)


def tracked(*boxes: tuple[Box, int]) -> Detections:
    return dataclasses.replace(found([box for box, _ in boxes]), track_ids=np.array([i for _, i in boxes]))


def test_a_track_is_as_old_as_the_film_from_its_first_frame_to_its_last() -> None:
    times = TrackTimes()
    times.note(tracked((HERE, 3)), 1.0)
    times.note(tracked((HERE, 3), (THERE, -1)), 2.5)
    times.note(found([HERE]), 9.0)
    assert times.seconds(3) == 1.5
    assert times.seconds(-1) is None
    assert times.seconds(4) is None


def test_only_so_many_tracks_are_remembered_those_seen_last() -> None:
    times = TrackTimes()
    for track in range(2000):
        times.note(tracked((HERE, track), (THERE, 5000)), float(track))
    assert times.seconds(5000) == 1999
    assert times.seconds(1999) == 0
    assert times.seconds(0) is None


def ids(detections: Detections) -> list[int]:
    assert detections.track_ids is not None
    return detections.track_ids.tolist()


def test_the_same_instance_has_one_id_on_both_sides_whatever_it_was_called() -> None:
    same = TrackMatcher()
    left = tracked((HERE, 7), (THERE, 9))
    assert ids(same(left, tracked((THERE, 0), (HERE, 1)))) == [9, 7]
    assert ids(same(tracked((FAR, 7)), tracked((THERE, 0), (HERE, 1)))) == [9, 7], "it keeps what it has"


def test_one_that_is_found_on_one_side_only_is_nobody_elses() -> None:
    same = TrackMatcher()
    (given,) = ids(same(tracked((HERE, 7)), tracked((FAR, 7))))
    assert given != 7
    assert ids(same(tracked((HERE, 7), (THERE, 8)), tracked((FAR, 7)))) == [given]


def test_one_that_the_right_side_finds_first_gets_the_left_ones_id_once_that_is_found_too() -> None:
    same = TrackMatcher()
    same(tracked((HERE, 7)), tracked((FAR, 7)))
    assert ids(same(tracked((HERE, 7), (FAR, 8)), tracked((FAR, 7)))) == [8]
    assert ids(same(tracked((FAR, 9)), tracked((FAR, 7)))) == [8], "it keeps what it has"


def test_an_instance_that_is_lost_and_taken_for_another_one_changes_its_id_on_that_side_too() -> None:
    same = TrackMatcher()
    left = tracked((HERE, 7))
    assert ids(same(left, tracked((HERE, 0)))) == [7]
    assert ids(same(left, tracked((HERE, 1)))) != [7]
    same.forget()
    assert ids(same(left, tracked((HERE, 1)))) == [7]


def test_sides_without_tracks_stay_as_they_are() -> None:
    same = TrackMatcher()
    right = tracked((HERE, 1), (THERE, -1))
    assert same(found([HERE]), right) is right
    assert ids(same(tracked((HERE, 7)), right)) == [7, -1]
