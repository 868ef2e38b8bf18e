"""What the detections over a threshold are worth: how many are right, how much is found, what is made up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.evaluation.scored_matches import ScoredMatches

BINS = 10
LEAST_SCORE = 0.05
"""Reliability leaves out what scores less: there is so much of it that it would hide the rest."""


@dataclass(frozen=True)
class Counts:
    """Detections that score more than a threshold, and what they are worth; shares in 0..1.

    threshold:      None where it differs from class to class
    detections:     how many there are, those that lie in crowds left out
    matches:        those that match a labelled object
    precision:      matches / detections, None where there is none
    objects:        labelled objects, crowds not counted
    recall:         matches / objects, the share that is found
    f1:             harmonic mean of both
    without:        images that are labelled in full and show no object of the class
    phantoms:       those of them in which one is found
    phantom_share:  phantoms / without

    Of all classes together `without` counts images that are labelled in full for all of them, and
    `phantoms` those in which some class is found that they do not show.
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
    """`Counts` of all classes together and of each; `kind` is what was compared with the labels."""

    kind: str
    all: Counts
    per_class: Mapping[str, Counts]


@dataclass(frozen=True)
class Bin:
    """Detections whose score is from `low` up to `high`; the means are None where there is none.

    score: their mean score
    match: the share that matches a labelled object; the same as `score` where scores are calibrated
    """

    low: float
    high: float
    detections: int
    score: float | None
    match: float | None


@dataclass(frozen=True)
class Reliability:
    """How far scores are probabilities, of the `detections` that score `LEAST_SCORE` or more.

    expected_error: |score - match| of the bins, weighed by their detections (expected calibration error);
                    None where there is no detection
    """

    detections: int
    expected_error: float | None
    bins: tuple[Bin, ...]


def operating_point(matches: ScoredMatches, thresholds: Sequence[float]) -> OperatingPoint:
    """The counts of detections that score more than the threshold of their class, one for each of C."""
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
    """The reliability of all detections that score `least` or more, in `BINS` bins of one width."""
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
    """hit: [n] bool of the detections that are shown."""
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
