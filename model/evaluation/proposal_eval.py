"""Average recall of object proposals, as COCO measures it without classes (`useCats=0`): boxes and masks.

Matching is pycocotools' own, once for the largest number of proposals. Proposals are matched best first, so
the first k of them are matched as they would be alone, and any number of them can be read off.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from model.detections import Detections
from model.errors import DataError
from model.evaluation.bootstrap import Interval
from model.training.data.coco.entries import Record

COUNTS = (10, 100, 1000)
SIZES = ("all", "small", "medium", "large")
_LEVEL = 0.95

# proposals at which the area under the curve is sampled, evenly on a log axis
_CURVE = tuple(int(n) for n in np.unique(np.round(np.logspace(0, 3, 31))))


@dataclass(frozen=True)
class RecallFigures:
    """Average recall in 0..1 over IoU 0.5 to 0.95; None where there is no object.

    at:        by the number of proposals an image
    by_size:   with the largest number, by the object's size: under 32² px, up to 96², above
    auc:       area under the curve of recall over 1 to 1000 proposals, on a log axis, 0..1
    curve:     its points (number, average recall)
    intervals: by the number of proposals, from resampled images; empty where they were not asked for
    """

    at: dict[int, float | None]
    by_size: dict[str, float | None]
    auc: float | None
    curve: tuple[tuple[int, float], ...]
    intervals: dict[int, Interval]


@dataclass(frozen=True)
class ProposalFigures:
    """Recall of boxes and of masks on `images` images with `objects` objects, crowds left out."""

    boxes: RecallFigures
    masks: RecallFigures
    images: int
    objects: int


@dataclass(frozen=True, eq=False)
class _Matches:
    """Matches in I images at T thresholds.

    ranks:   for each image [T, G] int: rank of the proposal that found each object, from 0; a large number
             where none did
    """

    ranks: list[NDArray[np.int64]]

    def found(self, count: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return per image the objects that `count` proposals find, as a mean over T, and all objects."""
        found = [float((ranks < count).mean(0).sum()) if ranks.size else 0.0 for ranks in self.ranks]
        return np.array(found), np.array([ranks.shape[1] for ranks in self.ranks])

    def recall(self, count: int) -> float | None:
        """Return average recall of the first `count` proposals an image, or None without objects."""
        found, objects = self.found(count)
        return float(found.sum() / objects.sum()) if objects.sum() else None

    def interval(self, count: int, draws: NDArray[np.int64]) -> Interval | None:
        """Return the interval of recall over resampled images; draws: [B, I] int, how often each is drawn."""
        found, objects = self.found(count)
        total = draws @ objects
        values = (draws @ found)[total > 0] / total[total > 0]
        if not len(values):
            return None
        low, high = np.quantile(values, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
        return Interval(float(low), float(high), _LEVEL, len(values))


def proposal_recall(
    truth: COCO, results: Iterable[tuple[Any, Detections]], resamples: int = 0, seed: int = 0
) -> ProposalFigures:
    """Return the average recall of proposals on every image of `truth`; categories do not count.

    results: (image id, its proposals, best first); an image left out counts as one without proposals. The
    iterable is read once and its masks are not kept. Raises DataError on an image that is not in `truth`.
    """
    known = {image["id"] for image in truth.dataset["images"]}
    records = list(_records(results, known))
    images = len(known)
    draws = np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), size=resamples)
    boxes, masks = (_figures(truth, records, kind, draws) for kind in ("bbox", "segm"))
    objects = sum(not entry.get("iscrowd") for entry in truth.dataset["annotations"])
    return ProposalFigures(boxes, masks, images, objects)


def _records(results: Iterable[tuple[Any, Detections]], known: set[Any]) -> Iterator[Record]:
    for image_id, found in results:
        if image_id not in known:
            raise DataError(f"the data set has no image {image_id!r}")
        for entry in found.to_coco():
            yield {"image_id": image_id, "category_id": 1, "score": entry["score"]} | {
                key: entry[key] for key in ("bbox", "segmentation")
            }


def _figures(
    truth: COCO, records: Sequence[Record], kind: Literal["bbox", "segm"], draws: NDArray[np.int64]
) -> RecallFigures:
    by_size = _matched(truth, records, kind)
    matches = by_size["all"]
    curve = tuple((n, r) for n in _CURVE if (r := matches.recall(n)) is not None)
    intervals = {count: matches.interval(count, draws) for count in COUNTS} if len(draws) else {}
    return RecallFigures(
        at={count: matches.recall(count) for count in COUNTS},
        by_size={size: by_size[size].recall(COUNTS[-1]) for size in SIZES[1:]},
        auc=_area(curve) if curve else None,
        curve=curve,
        intervals={count: found for count, found in intervals.items() if found is not None},
    )


def _area(curve: Sequence[tuple[int, float]]) -> float:
    at, recall = np.log10([n for n, _ in curve]), np.array([r for _, r in curve])
    return float(np.trapezoid(recall, at) / (at[-1] - at[0]))


def _matched(truth: COCO, records: Sequence[Record], kind: str) -> dict[str, _Matches]:
    """Return the matches by size, each with an entry for every image."""
    with contextlib.redirect_stdout(io.StringIO()):
        found = truth.loadRes(list(records)) if records else COCO()
        if not records:
            found.dataset = {"images": truth.dataset["images"], "annotations": [], "categories": []}
            found.createIndex()
        evaluator = COCOeval(truth, found, kind)
        evaluator.params.useCats = 0
        evaluator.params.maxDets = [COUNTS[-1]]
        evaluator.evaluate()
    images = len(evaluator.params.imgIds)
    sizes = evaluator.params.areaRngLbl
    thresholds = len(evaluator.params.iouThrs)
    return {
        size: _Matches([_ranks(e, thresholds) for e in evaluator.evalImgs[n * images : (n + 1) * images]])
        for n, size in enumerate(sizes)
    }


def _ranks(evaluated: dict[str, Any] | None, thresholds: int) -> NDArray[np.int64]:
    """Return [T, G] int: the rank of the proposal that found each object that counts in an image."""
    if evaluated is None:
        return np.zeros((thresholds, 0), np.int64)
    counts = ~np.asarray(evaluated["gtIgnore"], bool)
    rank = {proposal: n for n, proposal in enumerate(evaluated["dtIds"])}
    ranks = np.full(evaluated["gtMatches"].shape, np.iinfo(np.int64).max)
    for place in np.argwhere(evaluated["gtMatches"] > 0):
        ranks[tuple(place)] = rank[int(evaluated["gtMatches"][tuple(place)])]
    return ranks[:, counts]
