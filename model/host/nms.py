"""Non-maximum suppression on the CPU, of candidates alone.

The kinds are those of `model.detection.nms`, which works on tensors of a fixed shape. Here only what scores
more than the threshold is looked at, class by class: nothing weaker suppresses anything that is shown. Each
function takes

    boxes:  [A, 4] float32, x1 y1 x2 y2, finite
    scores: [A, C] float32, probability of each foreground class

and returns `KeptRows`, by descending score, equal scores by class and anchor, no more than `max_detections`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.config import DetectionConfig
from model.host.boxes import pairwise_iou
from model.host.outputs import Floats

Ints = NDArray[np.int64]

SOFT_IOU = 0.3  # as published


class KeptRows(NamedTuple):
    """The D detections that are left."""

    anchors: Ints  # [D], row of the boxes
    classes: Ints  # [D], background not counted
    scores: Floats  # [D]


def fast_nms(boxes: Floats, scores: Floats, config: DetectionConfig) -> KeptRows:
    """Fast NMS for each class (paper, section 4): suppressed boxes suppress others too."""
    found = _candidates(scores, config)
    stays = np.zeros(len(found.scores), dtype=bool)
    for members in _of_each_class(found.classes):
        top = members[: config.nms_top_k]
        stays[top] = _unsuppressed(boxes[found.anchors[top]], config.nms_iou_threshold)
    return _best(found, stays, config)


def class_agnostic_fast_nms(boxes: Floats, scores: Floats, config: DetectionConfig) -> KeptRows:
    """Fast NMS over all classes at once: each anchor stands for its best class."""
    classes = scores.argmax(axis=1) if len(scores) else np.zeros(0, np.int64)
    best = np.take_along_axis(scores, classes[:, None], axis=1)[:, 0]
    rows = np.flatnonzero(best > config.confidence_threshold)
    rows = rows[np.argsort(-best[rows], kind="stable")][: config.nms_top_k]
    stays = _unsuppressed(boxes[rows], config.nms_iou_threshold)
    rows = rows[stays][: config.max_detections]
    return KeptRows(rows, classes[rows], best[rows])


def exact_nms(boxes: Floats, scores: Floats, config: DetectionConfig) -> KeptRows:
    """Greedy NMS for each class: a box suppresses those that it overlaps unless it was suppressed itself."""
    found = _candidates(scores, config)
    stays = np.zeros(len(found.scores), dtype=bool)
    for members in _of_each_class(found.classes):
        waiting = members
        while len(waiting):
            first, waiting = waiting[0], waiting[1:]
            stays[first] = True
            corners = boxes[found.anchors[waiting]]
            overlap = pairwise_iou(boxes[found.anchors[[first]]], corners)[0]
            waiting = waiting[~(overlap > config.nms_iou_threshold)]
    return _best(found, stays, config)


def soft_nms(boxes: Floats, scores: Floats, config: DetectionConfig) -> KeptRows:
    """Linear Soft-NMS for each class (Bodla et al., ICCV 2017, arXiv:1704.04503).

    The best detection multiplies the scores of its class that overlap it by an IoU of more than 0.3 by 1 -
    IoU; then the best of the remaining ones does, and so on.
    """
    found = _candidates(scores, config)
    groups = [members[: config.nms_top_k] for members in _of_each_class(found.classes)]
    left = np.full(len(found.scores), -1, np.float32)
    group_of = np.zeros(len(left), np.int64)
    for number, members in enumerate(groups):
        left[members], group_of[members] = found.scores[members], number
    places: list[int] = []
    best: list[np.float32] = []
    while len(places) < config.max_detections and len(left) and left.max() >= 0:
        place = int(left.argmax())  # of equal ones the first, in the order of class and anchor
        places.append(place)
        best.append(left[place])
        others = groups[group_of[place]]
        overlap = pairwise_iou(boxes[found.anchors[[place]]], boxes[found.anchors[others]])[0]
        lowered = left[others] * np.where(overlap > SOFT_IOU, 1 - overlap, np.float32(1))
        lowered[lowered <= config.confidence_threshold] = -1
        left[others] = lowered
        left[place] = -1
    return KeptRows(found.anchors[places], found.classes[places], np.array(best, np.float32))


def doubles(
    boxes: Floats, kept: KeptRows, sure: NDArray[np.bool_], iou_threshold: float
) -> NDArray[np.bool_]:
    """Return [D] bool, True for sure detections that lie on a better one of another class.

    boxes: [D, 4], of `kept`; sure: [D]. See `model.detection.nms.doubles`.
    """
    overlap = np.triu(pairwise_iou(boxes, boxes), k=1)  # column j holds the overlap with each better one
    others = kept.classes[:, None] != kept.classes[None, :]
    return np.asarray(((overlap > iou_threshold) & others & sure[:, None]).any(axis=0) & sure)


def _candidates(scores: Floats, config: DetectionConfig) -> KeptRows:
    """Return what scores more than the threshold: by class, in it by descending score, then by anchor."""
    anchors, classes = np.nonzero(scores > config.confidence_threshold)
    values = scores[anchors, classes]
    order = np.lexsort((anchors, -values, classes))
    return KeptRows(anchors[order], classes[order], values[order])


def _of_each_class(classes: Ints) -> Iterator[Ints]:
    """Yield the places of each class that occurs in classes [n], which are sorted."""
    edges = np.flatnonzero(np.diff(classes, prepend=-1, append=-1))
    for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        yield np.arange(start, stop)


def _unsuppressed(boxes: Floats, iou_threshold: float) -> NDArray[np.bool_]:
    """Return [n] bool, False for boxes [n, 4], best first, that overlap any better one too much."""
    if len(boxes) < 2:
        return np.ones(len(boxes), dtype=bool)
    overlap = np.triu(pairwise_iou(boxes, boxes), k=1)
    return np.asarray(overlap.max(axis=0) <= iou_threshold)


def _best(found: KeptRows, stays: NDArray[np.bool_], config: DetectionConfig) -> KeptRows:
    places = np.flatnonzero(stays)
    # what comes first of equal ones stays first: the order of class and anchor
    places = places[np.argsort(-found.scores[places], kind="stable")][: config.max_detections]
    return KeptRows(found.anchors[places], found.classes[places], found.scores[places])


NMS: dict[str, Callable[[Floats, Floats, DetectionConfig], KeptRows]] = {
    "fast": fast_nms,
    "class-agnostic": class_agnostic_fast_nms,
    "exact": exact_nms,
    "soft": soft_nms,
}
