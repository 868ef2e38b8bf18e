"""Calibrate scores and choose a threshold for every class, fitted to matched detections.

Calibration is Platt scaling (Platt, 1999, "Probabilistic outputs for support vector machines"): the
probability that a detection matches an object is the sigmoid of slope · logit + offset. One pair serves all
classes, so that the order of detections, and with it average precision, stays as it is. The calibration is
folded into the network's weights, so that it costs nothing at run time.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit
from torch import Tensor

from model.config import DEFAULT_THRESHOLD, YolactConfig
from model.errors import ConfigError, DataError
from model.evaluation.scored_matches import ScoredMatches

LEAST_DETECTIONS = 50
_CLASS_LAYERS = "head.output."  # of a network without anchors
_SMALLEST_SLOPE = 1e-2
_TINY = 1e-6  # a score nearer to 0 or 1 is taken for this far from it


@dataclass(frozen=True)
class Platt:
    """Mapping of scores to sigmoid(`slope` · logit + `offset`); `slope` is positive."""

    slope: float
    offset: float

    def __call__(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return calibrated scores, [D] in 0..1; 0 and 1 are mapped to themselves."""
        return np.asarray(expit(self.slope * logit(scores) + self.offset))

    def of(self, score: float) -> float:
        """Return the calibrated value of one score."""
        return float(self(np.array([score]))[0])


IDENTITY = Platt(1.0, 0.0)


@dataclass(frozen=True)
class Thresholds:
    """A threshold, 0..1, for each class by name.

    own:    of the classes with enough objects
    common: of all others
    """

    own: Mapping[str, float]
    common: float

    def of(self, names: tuple[str, ...]) -> tuple[float, ...]:
        """Return the threshold of each of these classes, in their order."""
        return tuple(self.own.get(name, self.common) for name in names)


def fit_platt(scores: NDArray[np.float64], hit: NDArray[np.bool_]) -> Platt:
    """Fit the calibration by maximum likelihood. scores: [D] in 0..1; hit: [D], True for a match.

    As Platt proposes, the targets differ slightly from 1 and 0, so that data that a threshold separates
    have a solution too. Raises DataError on fewer than `LEAST_DETECTIONS`, or when all or none of them match.
    """
    right = int(hit.sum())
    if len(hit) < LEAST_DETECTIONS or right in (0, len(hit)):
        raise DataError(
            f"{len(hit)} detections, of which {right} match an object, say too little about scores; expected "
            f"{LEAST_DETECTIONS} or more, right and wrong ones; take more images, or better weights"
        )
    wrong = len(hit) - right
    x = logit(np.clip(scores, _TINY, 1 - _TINY))
    target = np.where(hit, (right + 1) / (right + 2), 1 / (wrong + 2))

    def loss(pair: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = pair[0] * x + pair[1]
        gap = expit(z) - target
        # log(1 + exp(z)) - target · z, the negative log likelihood
        return float((np.logaddexp(0, z) - target * z).mean()), np.array([(gap * x).mean(), gap.mean()])

    bounds = [(_SMALLEST_SLOPE, None), (None, None)]
    options = {"ftol": 1e-12, "gtol": 1e-9}
    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return Platt(float(found.x[0]), float(found.x[1]))


def held_out_scores(matches: ScoredMatches) -> NDArray[np.float64]:
    """Return scores, [D], of each half of the images, calibrated on the other half.

    Raises DataError as `fit_platt` does.
    """
    half = matches.images % 2 == 0
    scores = np.empty_like(matches.scores)
    for part in (half, ~half):
        scores[part] = fit_platt(matches.scores[~part], matches.hit[~part])(matches.scores[part])
    return scores


def log_loss(scores: NDArray[np.float64], hit: NDArray[np.bool_]) -> float:
    """Return the mean negative log likelihood of the matches, in nats."""
    p = np.clip(scores, _TINY, 1 - _TINY)
    return float(-np.where(hit, np.log(p), np.log1p(-p)).mean())


def pick_thresholds(matches: ScoredMatches, least_objects: int, beta: float = 1.0) -> Thresholds:
    """Choose for each class the threshold with the best F measure.

    Recall weighs `beta` times as much as precision. Classes with fewer than `least_objects` objects share the
    threshold that is best for all of them together,
    or for all classes where even they have too few: a threshold of their own would be chosen by chance.
    """
    rare = matches.objects < least_objects
    own = {
        name: best_threshold(matches.scores[chosen], matches.hit[chosen], int(matches.objects[c]), beta)
        for c, name in enumerate(matches.names)
        if not rare[c]
        for chosen in [matches.classes == c]
    }
    pooled = rare if matches.objects[rare].sum() >= least_objects else np.ones_like(rare)
    chosen = pooled[matches.classes]
    objects = int(matches.objects[pooled].sum())
    common = best_threshold(matches.scores[chosen], matches.hit[chosen], objects, beta)
    return Thresholds(own, common)


def best_threshold(
    scores: NDArray[np.float64], hit: NDArray[np.bool_], objects: int, beta: float = 1.0
) -> float:
    """Return the threshold, 0..1, with the best F measure, half way between two scores.

    `DEFAULT_THRESHOLD` when there are no objects or no matches.
    """
    if not objects or not hit.any():
        return DEFAULT_THRESHOLD
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    shown = np.arange(1, len(ranked) + 1)
    matches = np.cumsum(hit[order])
    measure = (1 + beta**2) * matches / (beta**2 * objects + shown)
    # detections of one score are shown together or not at all
    below = np.append(ranked[1:], 0.0)
    measure[below == ranked] = -1.0
    best = int(np.argmax(measure))
    return float(round((ranked[best] + below[best]) / 2, 4))


def confidence_after(threshold: float, platt: Platt) -> float:
    """Return the calibrated value of a confidence threshold, 0..1: as many boxes as before enter NMS."""
    if threshold in (0.0, 1.0):
        return threshold
    return min(max(platt.of(threshold), 0.0), math.nextafter(1.0, 0.0))


def folded_state(state: Mapping[str, Tensor], config: YolactConfig, platt: Platt) -> dict[str, Tensor]:
    """Return the weights of a network whose class scores are those of `state`, calibrated.

    The rows of the classes come first in `head.output.*`: weights and bias are multiplied by the slope, and
    the offset is added to the bias. These few tensors become float32, also where the rest is in half
    precision: rounded once more, near scores could change places. Raises ConfigError on a network with
    anchors, whose scores are a softmax that no such change calibrates.
    """
    if config.anchor_free is None:
        raise ConfigError(
            f"{config.name} has anchors and a softmax of its classes; scores can be calibrated in a network "
            "without anchors (livemask_n, _s and _m)"
        )
    folded = dict(state)
    for key in (key for key in state if key.startswith(_CLASS_LAYERS)):
        value = state[key].float().clone()
        value[: config.num_classes] *= platt.slope
        if key.endswith(".bias"):
            value[: config.num_classes] += platt.offset
        folded[key] = value
    return folded


def calibrated_config(config: YolactConfig, platt: Platt, thresholds: Sequence[float]) -> YolactConfig:
    """Return the configuration with class thresholds, and with as many boxes in NMS as before."""
    detection = dataclasses.replace(
        config.detection,
        confidence_threshold=confidence_after(config.detection.confidence_threshold, platt),
        class_thresholds=tuple(float(threshold) for threshold in thresholds),
    )
    return dataclasses.replace(config, detection=detection)
