"""The report of `eval`: tables on the standard output, and json files for other programs."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.terminal import Table, percent
from pipeline.sinks.files import write_bytes, write_json

if TYPE_CHECKING:
    from app.evaluate.images import Measurement
    from app.evaluate.sequence import SequenceMeasurement
    from model.evaluation.bootstrap import Interval
    from model.evaluation.coco_eval import CocoMetrics, CocoResults, Figures
    from model.evaluation.operating_point import Counts, OperatingPoint, Reliability

PACKAGES = ("torch", "torchvision", "numpy", "opencv-python", "pillow", "pycocotools")

# field of Figures -> its name in the tables
_FIGURES = {
    "ap": "AP",
    "ap50": "AP50",
    "ap70": "AP70",
    "ap75": "AP75",
    "ap_small": "AP small",
    "ap_medium": "AP medium",
    "ap_large": "AP large",
    "ap50_small": "AP50 small",
    "ap50_medium": "AP50 medium",
    "ap50_large": "AP50 large",
    "ar1": "AR, 1 detection",
    "ar10": "AR, 10 detections",
    "ar100": "AR, 100 detections",
    "ar_small": "AR small",
    "ar_medium": "AR medium",
    "ar_large": "AR large",
}
# field of Figures -> the field that holds its interval
_INTERVALS = {"ap50": "ap50_interval", "ap50_large": "ap50_large_interval"}
# of the detections that are shown: how many match, how much is found, photographs with a phantom
_SHOWN = ("precision", "recall", "phantoms")
# of masks whose boxes match an object
_FIT = ("mask IoU", "boundary IoU")
_SHOWN_HEADS = (
    "class", "threshold", "detections", "matches", "precision", "objects", "recall", "F1", "images without",
    "with phantom", "phantoms",
)  # fmt: skip
ALWAYS_LISTED = "person"  # also where classes are not listed one by one
_CLASS_FIGURES = ("ap", "ap50", "ap70", "ap75")


def tables(title: str, measurements: Sequence[Measurement], by_class: bool = True) -> list[Table]:
    """The tables of one run in full, or of several runs side by side; `by_class` lists all classes."""
    if len(measurements) > 1:
        return [_comparison(title, measurements)]
    one = measurements[0]
    listed = [name for name in one.metrics.boxes.per_class if by_class or name == ALWAYS_LISTED]
    return [
        _summary(title, one.metrics),
        *([_per_class(one.metrics, listed)] if listed else []),
        shown_table(one.operating_point, listed),
        reliability_table(one.reliability),
    ]


def shown_table(point: OperatingPoint, names: Sequence[str]) -> Table:
    """Return a table of the counts at the thresholds: a row for all classes together, and one a class."""
    rows = [_shown_row("all", point.all), *(_shown_row(name, point.per_class[name]) for name in names)]
    title = (
        f"detections that are shown, {point.kind} IoU 0.5, on images labelled in full for the class; "
        "precision, recall, F1, phantoms in percent"
    )
    return Table(title, _SHOWN_HEADS, tuple(rows))


def reliability_table(reliability: Reliability) -> Table:
    """Return a table of mean score and share that matches, bin by bin, with the expected error."""
    rows = [
        (f"{one.low:.1f} to {one.high:.1f}", str(one.detections), percent(one.score), percent(one.match))
        for one in reliability.bins
    ]
    error = percent(reliability.expected_error)
    title = f"reliability of scores, percent; expected calibration error {error}"
    return Table(title, ("score", "detections", "mean score", "match"), tuple(rows))


def _shown_row(name: str, one: Counts) -> tuple[str, ...]:
    return (
        name,
        "by class" if one.threshold is None else f"{one.threshold:.2f}",
        str(one.detections),
        str(one.matches),
        percent(one.precision),
        str(one.objects),
        percent(one.recall),
        percent(one.f1),
        str(one.without),
        str(one.phantoms),
        percent(one.phantom_share),
    )


def speed(measurement: Measurement | SequenceMeasurement) -> str:
    """Return the speed of a run as a sentence."""
    return (
        f"{measurement.images_per_second:.1f} images/s end to end, "
        f"{measurement.milliseconds:.1f} ms a frame in the predictor (median)"
    )


def write_results(folder: Path, results: CocoResults) -> None:
    """`results_bbox.json` and `results_segm.json` as the COCO server takes them.

    Without masks the second is not written. Raises SinkError when a file cannot be written.
    """
    for kind, records in (("bbox", results.boxes), ("segm", results.masks)):
        if records is not None:
            text = json.dumps(records, separators=(",", ":"), allow_nan=False)
            write_bytes(folder / f"results_{kind}.json", text.encode())


def write_metrics(
    path: Path, facts: Mapping[str, Any], measurements: Sequence[Measurement] | Sequence[SequenceMeasurement]
) -> None:
    """Write figures and settings as json, with `facts` about data and weights and versions of libraries.

    Raises SinkError when the file cannot be written.
    """
    runs = [dataclasses.asdict(measurement) for measurement in measurements]
    write_json(path, {**facts, "versions": _versions(), "runs": runs})


def _versions() -> dict[str, str | None]:
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _summary(title: str, metrics: CocoMetrics) -> Table:
    kinds = _kinds(metrics)
    rows = []
    for field, name in _FIGURES.items():
        rows.append((name, *(percent(getattr(figures, field)) for figures in kinds.values())))
        if field in _INTERVALS:
            rows += _interval_rows([getattr(figures, _INTERVALS[field]) for figures in kinds.values()])
    return Table(title, ("percent", *kinds), tuple(rows))


def _per_class(metrics: CocoMetrics, names: Sequence[str]) -> Table:
    kinds = _kinds(metrics)
    heads = [f"{kind} {_FIGURES[field]}" for kind in kinds for field in _CLASS_FIGURES]
    rows = [
        (
            name,
            str(metrics.boxes.per_class[name].objects),
            *(
                percent(getattr(figures.per_class[name], field))
                for figures in kinds.values()
                for field in _CLASS_FIGURES
            ),
        )
        for name in names
    ]
    return Table("by class, percent", ("class", "objects", *heads), tuple(rows))


def _comparison(title: str, measurements: Sequence[Measurement]) -> Table:
    kinds = _kinds(measurements[0].metrics)
    heads = [f"{kind} {_FIGURES[field]}" for kind in reversed(kinds) for field in _CLASS_FIGURES]
    heads += _FIT if measurements[0].matched_masks else ()
    rows = []
    for measurement in measurements:
        by_kind = _kinds(measurement.metrics)
        cells = [
            percent(getattr(by_kind[kind], field)) for kind in reversed(kinds) for field in _CLASS_FIGURES
        ]
        if fit := measurement.matched_masks:
            cells += [percent(fit.iou), percent(fit.boundary_iou)]
        shown = measurement.operating_point.all
        cells += [percent(shown.precision), percent(shown.recall), str(shown.phantoms)]
        times = (f"{measurement.milliseconds:.1f}", f"{measurement.images_per_second:.1f}")
        rows.append((measurement.label, *cells, *times))
    return Table(f"{title}; percent", ("setting", *heads, *_SHOWN, "ms", "img/s"), tuple(rows))


def _kinds(metrics: CocoMetrics) -> dict[str, Figures]:
    both = {"box": metrics.boxes, "mask": metrics.masks}
    return {kind: figures for kind, figures in both.items() if figures is not None}


def _interval_rows(intervals: Sequence[Interval | None]) -> list[tuple[str, ...]]:
    """The row under a figure, a cell for each kind; none where no interval was worked out."""
    known = [interval for interval in intervals if interval]
    if len(known) < len(intervals):
        return []
    ranges = (f"{percent(interval.low)} to {percent(interval.high)}" for interval in known)
    return [(f"  {known[0].level:.0%} interval", *ranges)]
