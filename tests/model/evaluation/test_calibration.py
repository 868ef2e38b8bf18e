"""Scores with a known truth: calibration finds it, and thresholds are the best there are."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logit

from model.config import DEFAULT_THRESHOLD
from model.errors import DataError
from model.evaluation.calibration import (
    IDENTITY,
    Platt,
    best_threshold,
    confidence_after,
    fit_platt,
    held_out_scores,
    log_loss,
    pick_thresholds,
)
from model.evaluation.operating_point import reliability
from model.evaluation.scored_matches import ScoredMatches


def matches(
    scores: NDArray[np.float64],
    hit: NDArray[np.bool_],
    classes: NDArray[np.int64] | None = None,
    objects: tuple[int, ...] = (1000,),
    images: int = 10,
) -> ScoredMatches:
    """Detections that lie in images 0, 1, … in turn; classes are named a, b, …"""
    labelled = np.ones((len(objects), images), bool)
    return ScoredMatches(
        kind="mask",
        names=tuple("abcdefgh"[: len(objects)]),
        scores=scores,
        classes=np.zeros(len(scores), np.int64) if classes is None else classes,
        images=np.arange(len(scores)) % images,
        hit=hit,
        objects=np.array(objects),
        empty=~labelled,
        covered=labelled,
    )


def drawn(slope: float, offset: float, count: int = 20_000) -> tuple[NDArray, NDArray]:
    """Scores, and matches drawn with the probability sigmoid(slope · logit + offset)."""
    rng = np.random.default_rng(0)
    scores = expit(rng.normal(-0.5, 1.5, count))
    return scores, rng.random(count) < expit(slope * logit(scores) + offset)


@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (2.7, -0.2), (0.4, 1.0)])
def test_the_pair_that_the_matches_were_drawn_with_is_found(slope: float, offset: float):
    platt = fit_platt(*drawn(slope, offset))

    assert platt.slope == pytest.approx(slope, rel=0.05)
    assert platt.offset == pytest.approx(offset, abs=0.06)


def test_no_pair_nearby_makes_the_matches_likelier():
    scores, hit = drawn(2.0, -1.0, 2000)
    best = fit_platt(scores, hit)

    least = log_loss(best(scores), hit)

    for slope in (-0.1, 0, 0.1):
        for offset in (-0.1, 0, 0.1):
            other = Platt(best.slope + slope, best.offset + offset)
            assert log_loss(other(scores), hit) >= least - 1e-4


def test_calibrated_scores_are_reliable_on_detections_that_were_not_fitted_too():
    scores, hit = drawn(2.5, -0.7)
    raw = matches(scores, hit)

    held_out = raw.with_scores(held_out_scores(raw))

    before, after = (reliability(one).expected_error for one in (raw, held_out))
    assert before is not None
    assert after is not None
    assert before > 0.1
    assert after < 0.02


def test_the_order_of_scores_stays():
    scores, hit = drawn(0.3, 2.0, 500)

    calibrated = fit_platt(scores, hit)(scores)

    assert (np.argsort(calibrated) == np.argsort(scores)).all()


def test_the_slope_is_positive_even_where_low_scores_match_more_often():
    scores, hit = drawn(-1.0, 0.0, 2000)

    assert fit_platt(scores, hit).slope > 0


def test_scores_that_a_threshold_separates_have_an_answer():
    scores = np.linspace(0.01, 0.99, 100)

    platt = fit_platt(scores, scores > 0.5)

    assert np.isfinite([platt.slope, platt.offset]).all()
    assert platt.of(0.9) > 0.9 > 0.1 > platt.of(0.1)


@pytest.mark.parametrize(("count", "right"), [(10, 5), (100, 0), (100, 100), (0, 0)])
def test_detections_that_say_too_little_are_refused(count: int, right: int):
    hit = np.arange(count) < right

    with pytest.raises(DataError, match=f"{count} detections, of which {right} match"):
        fit_platt(np.full(count, 0.5), hit)


def test_nothing_is_changed_by_the_identity():
    assert IDENTITY(np.array([0.0, 0.05, 0.5, 1.0])) == pytest.approx([0.0, 0.05, 0.5, 1.0])


def test_a_confidence_threshold_goes_with_the_scores():
    platt = Platt(2.0, -1.0)
    scores = np.linspace(0.001, 0.999, 999)

    moved = confidence_after(0.05, platt)

    assert ((platt(scores) > moved) == (scores > 0.05)).all()
    assert (confidence_after(0.0, platt), confidence_after(1.0, platt)) == (0.0, 1.0)
    assert 0 <= confidence_after(0.9999, Platt(50.0, 50.0)) < 1


def best_by_trying(scores: NDArray, hit: NDArray, objects: int, beta: float) -> float:
    """The best F measure that any threshold gives: an oracle that tries them all."""
    measures = []
    for threshold in np.linspace(0, 1, 2001):
        shown = scores > threshold
        measures.append((1 + beta**2) * hit[shown].sum() / (beta**2 * objects + shown.sum()))
    return max(measures)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_no_threshold_has_a_better_f_measure(beta: float):
    scores, hit = drawn(1.5, -0.5, 300)
    scores = scores.round(2)  # with ties

    threshold = best_threshold(scores, hit, 200, beta)

    shown = scores > threshold
    measure = (1 + beta**2) * hit[shown].sum() / (beta**2 * 200 + shown.sum())
    assert measure == pytest.approx(best_by_trying(scores, hit, 200, beta))


def test_a_threshold_lies_half_way_between_right_and_wrong():
    scores, hit = np.array([0.9, 0.8, 0.4, 0.3]), np.array([True, True, False, False])

    assert best_threshold(scores, hit, 2) == pytest.approx(0.6)
    assert best_threshold(scores, np.ones(4, bool), 4) == pytest.approx(0.15)


@pytest.mark.parametrize(("right", "objects"), [(False, 5), (True, 0)])
def test_where_nothing_is_right_the_threshold_is_the_default(right: bool, objects: int):
    assert best_threshold(np.array([0.9]), np.array([right]), objects) == DEFAULT_THRESHOLD


def test_classes_with_few_objects_share_a_threshold_of_their_own():
    scores = np.array([0.9, 0.7, 0.5, 0.3, 0.8, 0.2])
    hit = np.array([True, False, True, False, True, False])
    classes = np.array([0, 0, 1, 1, 2, 2])

    thresholds = pick_thresholds(matches(scores, hit, classes, objects=(30, 10, 12)), least_objects=20)

    assert thresholds.own == {"a": pytest.approx(0.8)}
    assert thresholds.common == pytest.approx(0.4)  # right at 0.5 and 0.8, wrong at 0.3 and 0.2
    assert thresholds.of(("c", "a", "never labelled")) == (thresholds.common, 0.8, thresholds.common)


def test_where_even_all_rare_classes_have_few_objects_the_common_threshold_is_that_of_all():
    scores, hit = np.array([0.9, 0.1, 0.5]), np.array([True, False, False])
    classes = np.array([0, 0, 1])

    thresholds = pick_thresholds(matches(scores, hit, classes, objects=(30, 2)), least_objects=20)

    assert thresholds.common == pytest.approx(0.7)
