"""The selected instance, from frame to frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.detections import Detections, MaskCrop, mask_iou
from pipeline.tracking.overlap import box_ious

_LEAST = 0.25  # overlap of what is taken for the same instance
_PATIENCE = 1.0  # seconds that it may be out of sight


class Selection:
    """One instance: picked, then followed by its track, or by its class, box and mask where that has ended.

    Used by one thread.
    """

    def __init__(self) -> None:
        self._last: tuple[Detections, float] | None = None  # the instance alone, and when it was seen
        self._others: frozenset[int] = frozenset()  # tracks that were seen beside it: it is none of those

    def pick(self, instance: Detections | None, now: float) -> None:
        """Select this one, alone in its record, or nothing. now: as in `find`."""
        self._last = None if instance is None else (instance, now)
        self._others = frozenset()

    def find(self, detections: Detections, now: float) -> int | None:
        """Return the index of the selected detection; None without a selection, or while it is out of sight.

        now: seconds; what is not seen for one of them is given up
        """
        if self._last is None:
            return None
        instance, seen = self._last
        row = _row_of_track(instance, detections)
        if row is None:
            row = same_instance(instance, detections, self._others)
        if row is not None:
            self._last = detections.select([row]), now
            self._others = _tracks(detections) - _tracks(self._last[0])
            return row
        if now - seen > _PATIENCE:
            self._last = None
        return None


def same_instance(
    instance: Detections, detections: Detections, others: frozenset[int] = frozenset()
) -> int | None:
    """Return the index of the detection that most likely is this instance, by class, box and mask.

    others: tracks that it is not part of. None where none is near enough.
    """
    overlap = _overlap(instance, detections)
    if detections.track_ids is not None and others:
        overlap[np.isin(detections.track_ids, list(others))] = 0.0
    row = int(overlap.argmax()) if len(overlap) else -1
    return row if row >= 0 and overlap[row] >= _LEAST else None


def instance_at(detections: Detections, x: float, y: float) -> int | None:
    """The topmost instance at a point of the frame: by its mask, or by the smallest box without masks."""
    column, row = int(np.floor(x)), int(np.floor(y))
    if detections.crops is not None:
        return next((i for i, crop in enumerate(detections.crops) if _holds(crop, column, row)), None)
    x1, y1, x2, y2 = detections.boxes.T
    inside = np.flatnonzero((x1 <= x) & (x < x2) & (y1 <= y) & (y < y2))
    areas = ((x2 - x1) * (y2 - y1))[inside]
    return int(inside[areas.argmin()]) if len(inside) else None


def next_instance(detections: Detections, selected: int | None, step: int) -> int | None:
    """Return the detection `step` places after the selected one, from left to right and round again.

    Without a selected one, return the leftmost for a positive step and the rightmost for a negative one. None
    without detections.
    """
    count = len(detections)
    if not count:
        return None
    order = np.argsort(detections.boxes[:, 0] + detections.boxes[:, 2], kind="stable").tolist()
    if selected is None or selected not in order:
        return int(order[0 if step > 0 else -1])
    return int(order[(order.index(selected) + step) % count])


def _row_of_track(instance: Detections, detections: Detections) -> int | None:
    """Return the row of the instance's track; None if it is not there, or the instance has none."""
    if instance.track_ids is None or detections.track_ids is None or instance.track_ids[0] < 0:
        return None
    rows = np.flatnonzero(detections.track_ids == instance.track_ids[0])
    return int(rows[0]) if len(rows) else None


def _tracks(detections: Detections) -> frozenset[int]:
    ids = detections.track_ids
    return frozenset() if ids is None else frozenset(ids[ids >= 0].tolist())


def _overlap(instance: Detections, detections: Detections) -> NDArray[np.float64]:
    """[N], how likely each detection is the instance: by box, and by mask too where there are masks."""
    overlap = box_ious(instance.boxes, detections.boxes)[0]
    if instance.crops is not None and detections.crops is not None:
        for i in np.flatnonzero(overlap):
            overlap[i] = (overlap[i] + mask_iou(instance.crops[0], detections.crops[i])) / 2
    same = [name == instance.names[0] for name in detections.names]
    return np.where(np.array(same, dtype=bool), overlap, 0.0)


def _holds(crop: MaskCrop, x: int, y: int) -> bool:
    h, w = crop.pixels.shape
    y, x = y - crop.y, x - crop.x
    return 0 <= y < h and 0 <= x < w and bool(crop.pixels[y, x])
