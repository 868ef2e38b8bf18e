"""Precision, recall and false detections over a threshold, and the reliability of scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.evaluation.scored_matches import ScoredMatches

BINS = 10
LEAST_SCORE = 0.05
"""Reliability ignores detections of lower scores, which are so many that they would hide the others."""


@dataclass(frozen=True)
class Counts:
    """Counts and shares, 0..1, of the detections that score more than a threshold.

    threshold:      None where it differs from class to class
    detections:     number of detections, without those in crowds
    matches:        those that match a labelled object
    precision:      matches / detections, None without detections
    objects:        labelled objects, without crowds
    recall:         matches / objects
    f1:             harmonic mean of both
    without:        images that are labelled in full and show no object of the class
    phantoms:       those of them with a detection of the class
    phantom_share:  phantoms / without

    Of all classes together `without` counts images that are labelled in full for all of them, and
    `phantoms` those with a detection of a class that they do not show.
    """

    threshold: float | None
    detections: int
    matches: int
    precision: float | None
    objects: int
    recall: float | None
    f1: float | None
    without: int
    phantoms: int
    phantom_share: float | None


@dataclass(frozen=True)
class OperatingPoint:
    """`Counts` of all classes together and of each; `kind` is "mask" or "box"."""

    kind: str
    all: Counts
    per_class: Mapping[str, Counts]


@dataclass(frozen=True)
class Bin:
    """Detections with a score from `low` up to `high`; the means are None without detections.

    score: their mean score
    match: share that matches a labelled object; equals `score` when scores are calibrated
    """

    low: float
    high: float
    detections: int
    score: float | None
    match: float | None


@dataclass(frozen=True)
class Reliability:
    """Calibration of the scores of `detections` that score `LEAST_SCORE` or more.

    expected_error: mean |score - match| of the bins, weighted by their detections (expected calibration
                    error); None without detections
    """

    detections: int
    expected_error: float | None
    bins: tuple[Bin, ...]


def operating_point(matches: ScoredMatches, thresholds: Sequence[float]) -> OperatingPoint:
    """Count the detections that score more than the threshold of their class, [C] thresholds."""
    limits = np.asarray(thresholds, np.float64)
    shown = matches.select(matches.scores > limits[matches.classes])
    found = np.zeros_like(matches.empty)
    found[shown.classes, shown.images] = True
    phantoms = found & matches.empty  # [C, I]
    per_class = {}
    for c, name in enumerate(matches.names):
        hit = shown.hit[shown.classes == c]
        empty = int(matches.empty[c].sum())
        per_class[name] = _counts(
            float(limits[c]), hit, int(matches.objects[c]), empty, int(phantoms[c].sum())
        )
    whole = matches.covered.all(axis=0)  # [I]
    common = float(limits[0]) if len(set(limits)) == 1 else None
    invented = int((phantoms.any(axis=0) & whole).sum())
    together = _counts(common, shown.hit, int(matches.objects.sum()), int(whole.sum()), invented)
    return OperatingPoint(matches.kind, together, per_class)


def reliability(matches: ScoredMatches, least: float = LEAST_SCORE) -> Reliability:
    """Return the reliability of the detections that score `least` or more, in `BINS` bins of equal width."""
    judged = matches.select(matches.scores >= least)
    places = np.minimum((judged.scores * BINS).astype(np.int64), BINS - 1)
    bins = tuple(_bin(b, judged.scores[places == b], judged.hit[places == b]) for b in range(BINS))
    total = len(judged.scores)
    gaps = [
        b.detections * abs(b.score - b.match) for b in bins if b.score is not None and b.match is not None
    ]
    return Reliability(total, sum(gaps) / total if total else None, bins)


def _bin(index: int, scores: NDArray[np.float64], hit: NDArray[np.bool_]) -> Bin:
    low, high = index / BINS, (index + 1) / BINS
    if not len(scores):
        return Bin(low, high, 0, None, None)
    return Bin(low, high, len(scores), float(scores.mean()), float(hit.mean()))


def _counts(
    threshold: float | None, hit: NDArray[np.bool_], objects: int, without: int, phantoms: int
) -> Counts:
    """Return the counts of detections above the threshold. hit: [n] bool, True for matches."""
    detections, matches = len(hit), int(hit.sum())
    return Counts(
        threshold=threshold,
        detections=detections,
        matches=matches,
        precision=_share(matches, detections),
        objects=objects,
        recall=_share(matches, objects),
        f1=_share(2 * matches, detections + objects),
        without=without,
        phantoms=phantoms,
        phantom_share=_share(phantoms, without),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
