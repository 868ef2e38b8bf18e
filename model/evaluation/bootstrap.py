"""Bootstrap confidence intervals of AP50: percentiles over resampled sets of images.

Detections and objects are matched image by image, so `COCOeval` matches once; a resampled set of images only
weights its matches differently. An image that was drawn twice counts twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.cocoeval import COCOeval

# elements of one intermediate array, so that memory stays small on large data sets
_BLOCK = 2_000_000


@dataclass(frozen=True)
class Interval:
    """The range that holds `level` (0..1) of the figure's values over `resamples` resampled data sets.

    Resampled data sets in which there is nothing to be found have no value and are not among them.
    """

    low: float
    high: float
    level: float
    resamples: int


@dataclass(frozen=True, eq=False)
class _ClassMatches:
    """One class and area range at an IoU of 0.5: its D counted detections, best score first, and the objects.

    hit:     [D] bool, matched with an object
    image:   [D] int, index of the image it lies in
    objects: [I] int, objects to be found in each image
    """

    hit: NDArray[np.bool_]
    image: NDArray[np.int64]
    objects: NDArray[np.int64]


def ap50_interval(
    evaluator: COCOeval, resamples: int = 1000, level: float = 0.95, seed: int = 0, area: str = "all"
) -> Interval | None:
    """Return the interval of AP50 over resampled data sets: images drawn with replacement.

    `evaluator` has evaluated; `area` is one of its `params.areaRngLbl`. None when its images show no object
    of that size. The draws depend on `seed` and the number of images alone, so boxes and masks and all areas
    see the same ones.
    """
    images = len(evaluator.params.imgIds)
    draws = np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), size=resamples)
    values = weighted_ap50(evaluator, draws, area)
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, len(values))


def weighted_ap50(evaluator: COCOeval, weights: NDArray[np.int64], area: str = "all") -> NDArray[np.float64]:
    """Compute AP50 of B data sets with image i `weights[b, i]` times: [B, I] int to [B] float in 0..1.

    The images are in the order of `evaluator.params.imgIds`. Weights of one give `COCOeval`'s own AP50.
    NaN where a data set has no object of any class in the area range `area`.
    """
    recalls = evaluator.params.recThrs
    values = np.stack([_class_ap50(m, weights, recalls) for m in _matches(evaluator, area)])  # [C, B]
    counted = ~np.isnan(values)
    sums = np.where(counted, values, 0).sum(axis=0)
    classes = counted.sum(axis=0)
    return np.where(classes > 0, sums / np.maximum(classes, 1), np.nan)


def _matches(evaluator: COCOeval, area: str) -> Iterator[_ClassMatches]:
    """Yield the matches of each class in an area range, at the first IoU threshold (0.5)."""
    images, ranges = len(evaluator.params.imgIds), len(evaluator.params.areaRng)
    a = evaluator.params.areaRngLbl.index(area)
    for k in range(len(evaluator.params.catIds)):
        start = (k * ranges + a) * images
        yield _class_matches(evaluator.evalImgs[start : start + images])


def _class_matches(per_image: list[dict[str, Any] | None]) -> _ClassMatches:
    objects = np.zeros(len(per_image), np.int64)
    scores, hits, homes = [np.zeros(0)], [np.zeros(0, bool)], [np.zeros(0, np.int64)]
    for i, found in enumerate(per_image):
        if found is None:
            continue
        objects[i] = np.count_nonzero(found["gtIgnore"] == 0)
        counted = ~found["dtIgnore"][0]
        scores.append(np.asarray(found["dtScores"], float)[counted])
        hits.append(found["dtMatches"][0][counted] > 0)
        homes.append(np.full(np.count_nonzero(counted), i))
    # stable, as COCOeval sorts: among equal scores the earlier image comes first
    order = np.argsort(-np.concatenate(scores), kind="stable")
    return _ClassMatches(np.concatenate(hits)[order], np.concatenate(homes)[order], objects)


def _class_ap50(
    matches: _ClassMatches, weights: NDArray[np.int64], recalls: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return AP50 of one class: [B, I] weights to [B], NaN in data sets without an object."""
    rows = max(1, _BLOCK // max(1, len(matches.hit)))
    blocks = [weights[i : i + rows] for i in range(0, len(weights), rows)]
    return np.concatenate([_block_ap50(matches, block, recalls) for block in blocks])


def _block_ap50(
    matches: _ClassMatches, weights: NDArray[np.int64], recalls: NDArray[np.float64]
) -> NDArray[np.float64]:
    sought = weights @ matches.objects  # [B]
    times = weights[:, matches.image]  # [B, D]
    hits = np.cumsum(times * matches.hit, axis=1)
    misses = np.cumsum(times * ~matches.hit, axis=1)
    precision = hits / (hits + misses + np.spacing(1))
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = hits / np.maximum(sought, 1)[:, None]
    # a recall that is never reached reads the column of zeros behind the last detection
    padded = np.pad(envelope, ((0, 0), (0, 1)))
    first = np.stack([np.searchsorted(row, recalls, side="left") for row in recall])  # [B, R]
    average = np.take_along_axis(padded, first, axis=1).mean(axis=1)
    return np.where(sought > 0, average, np.nan)
