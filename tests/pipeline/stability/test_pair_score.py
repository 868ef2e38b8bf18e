"""How still both sides are, measured beside the picture."""

from __future__ import annotations

import dataclasses
import threading

import numpy as np
import pytest

from model.detections import Detections
from pipeline.frame import Result
from pipeline.stability.meter import StabilityMeter
from pipeline.stability.pair_score import RECENT_FILM, RECENT_LIVE, PairMeter, PairScorer, Scores
from tests.pipeline.detector_checks import results
from tests.pipeline.live.scenes import Box, found, result
from tests.pipeline.live.sessions import PATIENCE, wait_until
from tests.pipeline.moving_squares import compared, frames, squares_detector

SIZE = (96, 128)
HERE: Box = (20, 20, 60, 80)


@pytest.fixture
def scorer():
    made = PairScorer()
    yield made
    made.end()
    assert made.join(PATIENCE)


def tracked(box: Box, track: int = 0) -> Detections:
    return dataclasses.replace(found([box], size=SIZE), track_ids=np.array([track]))


def pair(at: float, left: Detections, right: Detections) -> Result:
    return dataclasses.replace(result(left, at), other=right)


def measured(scorer: PairScorer, *pairs: Result) -> Scores:
    """The scores once all of these are measured."""
    for one in pairs:
        before = scorer.scores
        scorer.put(one, "this")
        wait_until(lambda before=before: scorer.scores is not None and scorer.scores is not before)
    assert scorer.scores is not None
    return scorer.scores


def test_nothing_runs_before_anything_is_compared(scorer: PairScorer) -> None:
    assert scorer.scores is None
    assert scorer.alive == ()


def test_the_side_that_trembles_scores_worse(scorer: PairScorer) -> None:
    pairs = [
        pair(turn / 10, tracked(HERE), tracked((20 + 6 * (turn % 2), 20, 60 + 6 * (turn % 2), 80)))
        for turn in range(6)
    ]
    left, right = measured(scorer, *pairs)
    assert left.jitter is not None
    assert right.jitter is not None
    assert left.jitter < 0.02 < right.jitter
    assert (left.frames, right.frames) == (6, 6)
    assert left.seconds == pytest.approx(0.5)
    assert left.coverage == 1
    assert scorer.problem == ""


def test_a_gap_and_a_side_without_masks_are_told(scorer: PairScorer) -> None:
    nothing = dataclasses.replace(found([], size=SIZE), track_ids=np.zeros(0, np.int64))
    pairs = [pair(turn / 10, nothing if turn == 2 else tracked(HERE), nothing) for turn in range(5)]
    left, right = measured(scorer, *pairs)
    assert (left.gaps, left.coverage) == (1, 0.8)
    assert (right.gaps, right.coverage, right.jitter) == (0, 0, None)


def test_only_the_last_seconds_count(scorer: PairScorer) -> None:
    left, _ = measured(
        scorer, *(pair(at, tracked(HERE), tracked(HERE)) for at in (0.0, 1.0, RECENT_LIVE + 0.5))
    )
    assert left.frames == 2


def test_a_film_that_begins_again_keeps_its_score(scorer: PairScorer) -> None:
    pairs = [
        dataclasses.replace(result(tracked(HERE), at, time), other=tracked(HERE))
        for at, time in ((0.0, 5.0), (0.1, 5.1), (0.2, 0.0), (0.3, 0.1))
    ]
    left, _ = measured(scorer, *pairs)
    assert left.frames == 4
    assert left.seconds == pytest.approx(0.3)


def test_a_picture_that_stands_still_counts_once(scorer: PairScorer) -> None:
    measured(scorer, pair(0.0, tracked(HERE), tracked(HERE)))
    scorer.put(pair(0.0, tracked(HERE), tracked(HERE)), "this")
    left, _ = measured(scorer, pair(0.1, tracked(HERE), tracked(HERE)))
    assert left.frames == 2


def test_another_comparison_begins_anew(scorer: PairScorer) -> None:
    measured(scorer, *(pair(turn / 10, tracked(HERE), tracked(HERE)) for turn in range(3)))
    scorer.put(pair(0.4, tracked(HERE), tracked(HERE)), "that")
    wait_until(lambda: scorer.scores is not None)
    assert scorer.scores is not None
    assert scorer.scores[0].frames == 1


def test_what_cannot_be_measured_is_said_until_something_else_is_compared(scorer: PairScorer) -> None:
    scorer.put(pair(0.0, found([HERE], size=SIZE), tracked(HERE)), "this")  # nobody tracked
    wait_until(lambda: scorer.problem)
    assert "Nothing can be measured" in scorer.problem
    assert scorer.scores is None
    scorer.put(pair(0.1, tracked(HERE), tracked(HERE)), "that")
    wait_until(lambda: scorer.scores is not None)
    assert scorer.problem == ""


def test_whoever_gives_results_never_waits_and_the_end_comes_soon() -> None:
    scorer = PairScorer()
    for turn in range(200):
        scorer.put(pair(turn / 10, tracked(HERE), tracked(HERE)), "this")
    assert [thread.name for thread in threading.enumerate()].count("livemask-scorer") == 1
    scorer.end()
    assert scorer.join(PATIENCE)
    scorer.put(pair(99, tracked(HERE), tracked(HERE)), "this")
    assert scorer.alive == ()


def test_the_running_score_agrees_with_the_meter_at_the_end():
    score, meter = PairMeter(RECENT_FILM), StabilityMeter()
    for seen in compared(30):
        assert seen.other is not None
        score.add(seen, float(seen.frame.time))
        meter.add(seen.frame.image, seen.other, float(seen.frame.time))
    _, mean = score.means
    assert mean == pytest.approx(meter.summary().jitter)
    assert score.summaries()[1] == meter.summary()
    assert mean is not None
    assert mean > 0.1


def test_lately_means_the_last_two_seconds_alone():
    score = PairMeter(RECENT_FILM)
    still, shaken = (results(squares_detector(shake), frames(6, speed=0)) for shake in (0, 2))

    def add(seen: Result, time: int) -> None:
        frame = dataclasses.replace(seen.frame, pts=time)
        score.add(dataclasses.replace(seen, frame=frame, other=seen.detections), float(frame.time))

    def recent() -> float | None:
        assert score.scores is not None
        return score.scores[0].jitter

    for time, seen in enumerate(shaken):
        add(seen, time)
    assert recent() == pytest.approx(score.means[0])
    for time, seen in enumerate(still):
        add(seen, int(25 * (RECENT_FILM + 1)) + time)
    assert recent() < 0.05 < 0.1 < score.means[0]


def test_there_is_no_score_before_there_are_two_frames():
    score = PairMeter(RECENT_FILM)
    assert (score.scores, score.means) == (None, (None, None))
    assert score.summaries()[0].frames == 0
    (seen,) = compared(1)
    score.add(seen, 0.0)
    assert score.scores is not None
    assert score.scores[0].jitter is score.means[0] is None
