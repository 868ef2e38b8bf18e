"""Box and mask average precision as pycocotools measures it: detections in, one record of figures out.

Prints nothing, and needs neither a network nor torch.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from model.detections import Detections
from model.errors import ConfigError, DataError
from model.evaluation.bootstrap import Interval, ap50_interval
from model.evaluation.ground_truth import indexed
from model.training.data.coco.entries import Record
from model.training.data.coco.values import Id


@dataclass(frozen=True)
class ClassMatch:
    """The classes of a model that a data set has labels of.

    category_ids: category id of each class found, by name, in the model's order
    missing:      the model's classes that the data set does not have
    """

    category_ids: Mapping[str, Id]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class CocoResults:
    """Results in the format of the COCO server, ready for json.

    boxes: `image_id`, `category_id`, `bbox` [x, y, w, h] px, `score` (the class probability)
    masks: `image_id`, `category_id`, `segmentation`, `score` (re-scored where the model does that);
           None when only boxes were found
    """

    boxes: list[Record]
    masks: list[Record] | None


@dataclass(frozen=True)
class ClassFigures:
    """AP of one class in 0..1; None when no object of it is labelled. `objects` leaves crowds out."""

    ap: float | None
    ap50: float | None
    ap70: float | None
    ap75: float | None
    objects: int


@dataclass(frozen=True)
class Figures:
    """COCO's figures in 0..1, each None when no object counts.

    `ap` averages IoU thresholds 0.5 to 0.95; `small` is under 32² px of area, `large` from 96² px; `ar10`
    allows 10 detections an image and class. The intervals are None unless they were asked for.
    """

    ap: float | None
    ap50: float | None
    ap70: float | None
    ap75: float | None
    ap_small: float | None
    ap_medium: float | None
    ap_large: float | None
    ap50_small: float | None
    ap50_medium: float | None
    ap50_large: float | None
    ar1: float | None
    ar10: float | None
    ar100: float | None
    ar_small: float | None
    ar_medium: float | None
    ar_large: float | None
    per_class: Mapping[str, ClassFigures]
    ap50_interval: Interval | None = None
    ap50_large_interval: Interval | None = None


@dataclass(frozen=True)
class CocoMetrics:
    """Figures of `images` images. `masks` is None when the model or the labels have boxes only."""

    boxes: Figures
    masks: Figures | None
    images: int


def coco_metrics(
    ground_truth: COCO,
    results: Iterable[tuple[Id, Detections]],
    class_names: Sequence[str],
    resamples: int = 0,
    seed: int = 0,
) -> CocoMetrics:
    """Evaluate detections on every image of `ground_truth`.

    ground_truth: result of `load_ground_truth`, or a selection of it
    results:      (image id, its detections at the size that the file gives); an image left out counts
                  as one without detections. The iterable is read once and its masks are not kept
    class_names:  the classes to measure, matched with the file's categories by name
    resamples:    number of bootstrap resamples for the intervals of AP50; 0 leaves them out

    Masks are ranked by `scores`, boxes by `box_scores`. Raises ConfigError when no class matches, and
    DataError on an image that the ground truth does not have, or of another size than it says.
    pycocotools writes flags and run-length codes into the annotations of `ground_truth`.
    """
    classes = match_classes(ground_truth, class_names)
    return measure(ground_truth, coco_results(ground_truth, results, classes), classes, resamples, seed)


def match_classes(ground_truth: COCO, class_names: Sequence[str]) -> ClassMatch:
    """Match the model's classes with the data set's categories by name.

    Raises ConfigError when no name is the same, with the beginning of both lists.
    """
    known = {category["name"]: category["id"] for category in ground_truth.dataset["categories"]}
    found = {name: known[name] for name in class_names if name in known}
    if not found:
        raise ConfigError(
            f"the weights know {_abbreviated(class_names)}, the data set is labelled for "
            f"{_abbreviated(list(known))}: no name is the same, so there is nothing to measure"
        )
    return ClassMatch(found, tuple(name for name in class_names if name not in known))


def coco_results(
    ground_truth: COCO, results: Iterable[tuple[Id, Detections]], classes: ClassMatch
) -> CocoResults:
    """Convert detections to the COCO server's format; those of unmatched classes are left out.

    Raises DataError like `coco_metrics`.
    """
    boxes: list[Record] = []
    masks: list[Record] = []
    with_masks = True
    for image_id, detections in results:
        _check_image(ground_truth, image_id, detections)
        with_masks = with_masks and detections.has_masks
        for record, box_score in zip(detections.to_coco(), detections.box_scores, strict=True):
            category = classes.category_ids.get(record["category_name"])
            if category is None:
                continue
            home = {"image_id": image_id, "category_id": category}
            boxes.append({**home, "bbox": record["bbox"], "score": round(float(box_score), 5)})
            if with_masks:
                # without a bbox, so that pycocotools takes the mask's area for the object's size
                masks.append({**home, "segmentation": record["segmentation"], "score": record["score"]})
    return CocoResults(boxes, masks if with_masks else None)


def measure(
    ground_truth: COCO, results: CocoResults, classes: ClassMatch, resamples: int = 0, seed: int = 0
) -> CocoMetrics:
    """Evaluate results in the COCO server's format, for the matched classes only."""

    def figures(records: list[Record], kind: Literal["bbox", "segm"]) -> Figures:
        return _figures(_evaluated(ground_truth, records, kind, classes), classes, resamples, seed)

    masks = None if objects_without_mask(ground_truth, classes) else results.masks
    return CocoMetrics(
        boxes=figures(results.boxes, "bbox"),
        masks=None if masks is None else figures(masks, "segm"),
        images=len(ground_truth.dataset["images"]),
    )


def objects_without_mask(ground_truth: COCO, classes: ClassMatch) -> int:
    """Count the objects of the matched classes that have no mask; a single one excludes mask figures."""
    return sum(not record["segmentation"] for record in measured_objects(ground_truth, classes))


def measured_objects(ground_truth: COCO, classes: ClassMatch) -> list[Record]:
    """Return the annotations of the matched classes, crowds included."""
    measured = set(classes.category_ids.values())
    return [record for record in ground_truth.dataset["annotations"] if record["category_id"] in measured]


def loaded_results(ground_truth: COCO, records: Sequence[Record]) -> COCO:
    """Load results into pycocotools, whose own loader takes no empty list and changes the records."""
    if records:
        return ground_truth.loadRes([dict(record) for record in records])
    return indexed({**ground_truth.dataset, "annotations": []})


def _abbreviated(names: Sequence[str], shown: int = 5) -> str:
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {rest} more" if rest > 0 else "")


def _check_image(ground_truth: COCO, image_id: Id, detections: Detections) -> None:
    image = ground_truth.imgs.get(image_id)
    if image is None:
        raise DataError(f"there are detections of image {image_id}, which the ground truth does not hold")
    height, width = detections.image_size
    if (height, width) != (image["height"], image["width"]):
        raise DataError(
            f"{image['file_name']} is {width} x {height} pixels, the labels are for {image['width']} x "
            f"{image['height']}; measure on the images that were labelled"
        )


def _evaluated(
    ground_truth: COCO, records: list[Record], kind: Literal["bbox", "segm"], classes: ClassMatch
) -> COCOeval:
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator = COCOeval(ground_truth, loaded_results(ground_truth, records), kind)
        evaluator.params.catIds = sorted(classes.category_ids.values())
        evaluator.evaluate()
        evaluator.accumulate()
    return evaluator


def _figures(evaluator: COCOeval, classes: ClassMatch, resamples: int, seed: int) -> Figures:
    def interval(area: str) -> Interval | None:
        # one seed, so that all intervals use the same resampled data sets
        return ap50_interval(evaluator, resamples, seed=seed, area=area) if resamples else None

    # precision [T, R, C, A, M] and recall [T, C, A, M]: IoU, recall, class, area, most detections
    precision, recall = evaluator.eval["precision"], evaluator.eval["recall"]
    return Figures(
        **_by_threshold(precision[..., 0, -1], evaluator),
        **{f"ar{most}": _mean(recall[..., 0, m]) for m, most in enumerate(evaluator.params.maxDets)},
        **_by_size(evaluator),
        per_class=_per_class(evaluator, classes),
        ap50_interval=interval("all"),
        ap50_large_interval=interval("large"),
    )


def _by_size(evaluator: COCOeval) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for size in ("small", "medium", "large"):
        a = evaluator.params.areaRngLbl.index(size)
        precision = _by_threshold(evaluator.eval["precision"][..., a, -1], evaluator)
        figures[f"ap_{size}"] = precision["ap"]
        figures[f"ap50_{size}"] = precision["ap50"]
        figures[f"ar_{size}"] = _mean(evaluator.eval["recall"][..., a, -1])
    return figures


def _per_class(evaluator: COCOeval, classes: ClassMatch) -> dict[str, ClassFigures]:
    precision = evaluator.eval["precision"]
    rows = {category: k for k, category in enumerate(evaluator.params.catIds)}
    return {
        name: ClassFigures(
            **_by_threshold(precision[:, :, rows[category], 0, -1], evaluator),
            objects=_objects(evaluator.cocoGt, category),
        )
        for name, category in classes.category_ids.items()
    }


def _by_threshold(precision: NDArray[np.float64], evaluator: COCOeval) -> dict[str, Any]:
    """Return AP over all IoU thresholds and at single ones, of precisions [T, …]."""
    at = {f"ap{t}": int(np.argmin(abs(evaluator.params.iouThrs - t / 100))) for t in (50, 70, 75)}
    return {"ap": _mean(precision), **{name: _mean(precision[t]) for name, t in at.items()}}


def _mean(values: NDArray[np.float64]) -> float | None:
    """Return the mean of the values that are not -1, which COCOeval gives where no object counts."""
    counted = values[values > -1]
    return float(counted.mean()) if counted.size else None


def _objects(ground_truth: COCO, category: Id) -> int:
    annotations = ground_truth.dataset["annotations"]
    return sum(1 for a in annotations if a["category_id"] == category and not a["iscrowd"])
