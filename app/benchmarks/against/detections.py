"""Compares what two checkouts found in the same clip: the lines that `annotate --json` writes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

LEAST_IOU = 0.98
MOST_DIFFERENCE = 0.01  # of scores

Detection = dict[str, Any]


def matched_share(one: Path, two: Path) -> float:
    """Return the share of detections, 0 to 1, that both files have; 1 where neither has any.

    Two detections of a frame match with the same class, boxes of IoU 0.98 or more, and scores within 0.01,
    each with one at most; the share is that of the file that has more detections.
    """
    matched = found_one = found_two = 0
    for first, second in zip_longest(_frames(one), _frames(two), fillvalue=()):
        matched += _matches(first, second)
        found_one += len(first)
        found_two += len(second)
    most = max(found_one, found_two)
    return matched / most if most else 1.0


def same_lines(one: Path, two: Path) -> float:
    """Return the share of lines, 0 to 1, that are the same to the last byte; 1 for equal files alone."""
    if (first := one.read_bytes()) == (second := two.read_bytes()):
        return 1.0
    pairs = list(zip_longest(first.split(b"\n"), second.split(b"\n")))
    return sum(a == b for a, b in pairs) / len(pairs)


def count_frames(path: Path) -> int:
    """Return how many frames the lines of a file are about."""
    return sum(1 for _ in _frames(path))


def _frames(path: Path) -> Iterator[Sequence[Detection]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            if "detections" in record:
                yield record["detections"]


def _matches(first: Sequence[Detection], second: Sequence[Detection]) -> int:
    """Return how many pairs match at most, when each detection belongs to one pair."""
    if not first or not second:
        return 0
    fits = np.array([[_alike(a, b) for b in second] for a in first])
    rows, columns = linear_sum_assignment(fits, maximize=True)
    return int(fits[rows, columns].sum())


def _alike(a: Detection, b: Detection) -> bool:
    # scores are written in five digits, so that a difference of exactly 0.01 is a little more as a float
    return (
        a["class"] == b["class"]
        and abs(a["score"] - b["score"]) <= MOST_DIFFERENCE + 1e-9
        and _iou(a["bbox"], b["bbox"]) >= LEAST_IOU
    )


def _iou(a: Sequence[float], b: Sequence[float]) -> float:
    """IoU of two boxes (left, top, width, height)."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    united = a[2] * a[3] + b[2] * b[3] - shared
    return shared / united if united else 0.0
