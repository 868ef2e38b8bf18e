"""Tables of what detections over a threshold are worth, and of how far their scores are probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.terminal import Table, percent

if TYPE_CHECKING:
    from model.evaluation.operating_point import Counts, OperatingPoint, Reliability

_HEADS = (
    "class", "threshold", "detections", "matches", "precision", "objects", "recall", "F1", "images without",
    "with phantom", "phantoms",
)  # fmt: skip


def shown_table(point: OperatingPoint, names: Sequence[str]) -> Table:
    """Return a table of the counts at the thresholds: a row for all classes together, and one a class."""
    rows = [_row("all", point.all), *(_row(name, point.per_class[name]) for name in names)]
    title = (
        f"detections that are shown, {point.kind} IoU 0.5, on images labelled in full for the class; "
        "precision, recall, F1, phantoms in percent"
    )
    return Table(title, _HEADS, tuple(rows))


def reliability_table(reliability: Reliability) -> Table:
    """Mean score and share that matches, bin by bin, with the expected calibration error."""
    rows = [
        (f"{one.low:.1f} to {one.high:.1f}", str(one.detections), percent(one.score), percent(one.match))
        for one in reliability.bins
    ]
    error = percent(reliability.expected_error)
    title = f"reliability of scores, percent; expected calibration error {error}"
    return Table(title, ("score", "detections", "mean score", "match"), tuple(rows))


def _row(name: str, one: Counts) -> tuple[str, ...]:
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
