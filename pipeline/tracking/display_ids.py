"""Durations of tracks, and the matching of the tracks of two sides."""

from __future__ import annotations

import dataclasses
import threading

import numpy as np
from numpy.typing import NDArray

from model.detections import Detections
from pipeline.tracking.matching import pairs
from pipeline.tracking.overlap import box_ious

_KEPT = 512  # tracks that are remembered, those seen last
_SAME = 0.5  # IoU of two boxes of one frame that are taken for the same instance
_APART = 1_000_003  # added to the id of a track without a match, so that it is unique


class TrackTimes:
    """Remembers when each track of a source was seen first. Any thread may ask; one tells."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: dict[int, tuple[float, float]] = {}  # first and last, in the order of the last

    def note(self, detections: Detections, time: float) -> None:
        """Note that these tracks were seen at `time`, the frame's own, in seconds."""
        if detections.track_ids is None:
            return
        with self._lock:
            for track in detections.track_ids[detections.track_ids >= 0].tolist():
                first, _ = self._times.pop(track, (time, time))
                self._times[track] = (min(first, time), time)
            while len(self._times) > _KEPT:
                del self._times[next(iter(self._times))]

    def seconds(self, track: int) -> float | None:
        """Return the seconds between a track's first and last appearance; None for an unknown track."""
        with self._lock:
            times = self._times.get(track)
        return None if times is None else times[1] - times[0]


class TrackMatcher:
    """Gives tracks of the right side of a comparison the ids of those on the left that are the same.

    So both sides show an instance in one colour. A track keeps its id, and no two have the same: where the
    right side loses an instance and takes it for another one, the colour changes there too. A track that the
    right side has found first gets the left one's id once the left side finds it too.
    One thread uses it.
    """

    def __init__(self) -> None:
        self._given: dict[int, int] = {}  # ids of the right side's tracks; own plus `_APART` where unmatched

    def forget(self) -> None:
        """Begin anew."""
        self._given.clear()

    def __call__(self, left: Detections, right: Detections) -> Detections:
        """The right ones with ids to draw them by; as they are where one side has no tracks."""
        if left.track_ids is None or right.track_ids is None:
            return right
        alone = [row for row, track in enumerate(right.track_ids.tolist()) if self._is_alone(track)]
        if alone:
            self._give(left, right.select(alone))
        while len(self._given) > _KEPT:
            del self._given[next(iter(self._given))]
        ids: NDArray[np.int64] = np.array([self._given.get(t, t) for t in right.track_ids.tolist()], np.int64)
        return dataclasses.replace(right, track_ids=ids)

    def _is_alone(self, track: int) -> bool:
        """Return True if it may yet get the id of a track on the left."""
        return track >= 0 and self._given.get(track, track + _APART) == track + _APART

    def _give(self, left: Detections, alone: Detections) -> None:
        assert left.track_ids is not None
        assert alone.track_ids is not None
        taken = set(self._given.values())
        free = left.select(np.array([t >= 0 and t not in taken for t in left.track_ids.tolist()], dtype=bool))
        same = pairs(box_ious(free.boxes, alone.boxes), _SAME)
        for row, track in enumerate(alone.track_ids.tolist()):
            known = free.track_ids[same[row]] if row in same and free.track_ids is not None else None
            self._given[track] = track + _APART if known is None else int(known)
