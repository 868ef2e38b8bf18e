"""Two detectors on the same frames."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.detectors.base import Pending
from pipeline.detectors.paired import PairedDetector
from pipeline.frame import Frame, Result
from tests.pipeline.detector_checks import results
from tests.pipeline.moving_squares import frames, squares_detector
from tests.pipeline.standins import Detector


@pytest.mark.parametrize("in_turn", [False, True])
@pytest.mark.parametrize("batch", [1, 3])
def test_both_sides_are_what_each_detector_finds_alone_in_the_same_frame(in_turn, batch):
    shown = frames(7)
    together = PairedDetector(squares_detector(), squares_detector(shake=2), in_turn)
    alone, shaken = results(squares_detector(), shown), results(squares_detector(shake=2), shown)

    done = results(together, shown, batch)

    assert [result.frame for result in done] == shown
    for result, left, right in zip(done, alone, shaken, strict=True):
        np.testing.assert_array_equal(result.detections.boxes, left.detections.boxes)
        np.testing.assert_array_equal(result.detections.track_ids, left.detections.track_ids)
        assert result.other is not None
        np.testing.assert_array_equal(result.other.boxes, right.detections.boxes)
        np.testing.assert_array_equal(result.other.masks, right.detections.masks)
        np.testing.assert_array_equal(result.other.track_ids, right.detections.track_ids)


def test_as_many_batches_are_on_their_way_as_both_sides_take():
    left, right = Detector(slots=3), Detector(slots=2)
    both = PairedDetector(left, right)
    assert both.slots == 2
    results(both, frames(6))
    assert left.most_pending == right.most_pending == 2
    assert PairedDetector(Detector(slots=3), Detector(slots=3), in_turn=True).slots == 1


@pytest.mark.parametrize(("slots", "in_turn"), [(2, True), (1, False)])
def test_in_turn_the_right_side_begins_when_the_left_one_is_done(slots, in_turn):
    told: list[str] = []

    class Telling:
        def __init__(self, name: str) -> None:
            self.slots, self.name = slots, name

        def submit(self, batch: list[Frame]) -> Pending:
            told.append(f"{self.name} begins")

            def collect() -> list[Result]:
                told.append(f"{self.name} is done")
                return Detector().submit(batch)()

            return collect

    results(PairedDetector(Telling("left"), Telling("right"), in_turn), frames(1))
    assert told == ["left begins", "left is done", "right begins", "right is done"]


def test_results_of_different_frames_are_never_put_together():
    class Late(Detector):
        def submit(self, batch: list[Frame]) -> Pending:
            return super().submit([dataclasses.replace(frame, index=frame.index + 1) for frame in batch])

    with pytest.raises(AssertionError, match="frames 0 and 1 do not pair"):
        results(PairedDetector(Detector(), Late()), frames(1))


def test_the_timings_are_those_of_both_sides():
    (result,) = results(PairedDetector(squares_detector(), squares_detector()), frames(1))
    (left,) = results(squares_detector(), frames(1))
    assert set(result.timings) == set(left.timings) == {"forward", "track"}
