"""Ground truth that is shaken by seed, in the place of a network: what it is shaken by, and the predictor."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.stability.synthetic import JitteredTruth, JitterOptions
from pipeline.tracking.base import KEEP

if TYPE_CHECKING:
    from app.stability.truth import Truth
    from model.detections import Detections

# about what a network of small input does to masks in video: every tenth one scores too little to be
# shown, and a few are not found at all
AMOUNTS = JitterOptions(
    shift=1.5,
    scale=0.015,
    boundary=1.5,
    drop=0.1,
    dropped_score=0.2,
    lost=0.03,
    score=0.7,
    score_noise=0.05,
    tracked=False,
)
JITTER: dict[str, Any] = dataclasses.asdict(AMOUNTS)
"""The same as plain values."""


class ShakenTruth:
    """Known masks, shaken, as an `InstancePredictor`: frames have to come in their order, each once."""

    def __init__(self, truth: Truth, seed: int, score_threshold: float) -> None:
        self._source = JitteredTruth(_masks(truth), seed, AMOUNTS)
        self._threshold = score_threshold
        self._least = KEEP * score_threshold  # what tracks go on with is given too

    @property
    def class_names(self) -> tuple[str, ...]:
        """The one class of all objects."""
        return self._source.class_names

    @property
    def score_threshold(self) -> float:
        """The score, 0..1, that a detection exceeds to begin a track."""
        return self._threshold

    def __call__(self, frames: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """The shaken masks of the next frames. Raises DataError where there are more frames than masks."""
        return [found.select(found.scores > self._least) for found in self._source(frames)]


def _masks(truth: Truth) -> Iterator[NDArray[np.uint8]]:
    # without an end: whoever asks for a mask that there is not is told so
    return map(truth.labels, itertools.count())
