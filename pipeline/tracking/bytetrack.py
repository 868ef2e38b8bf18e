"""ByteTrack (Zhang et al., ECCV 2022, arXiv 2110.06864); its association looks at masks as well as boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from supervision import Detections as Boxes
from trackers import ByteTrackTracker
from trackers.utils.iou import BaseIoU

from pipeline.tracking.base import LOST, TrackerInput
from pipeline.tracking.overlap import Patch, box_ious, mask_iou, moved

_RATE = 30.0  # frames a second: the rate that the library counts in
_LEAST = 0.1  # similarity of a track and what continues it
_LEAST_WEAK = 0.3  # the same for what is too weak to begin one: it must lie where the track is
_MASK_SHARE = 0.5


class ByteTrack:
    """See `Tracker`. Boxes are predicted by a Kalman filter; classes are not looked at.

    Tracks are matched with confident detections first, and what is left of them with weak ones (section 3).
    """

    def __init__(self, mask_share: float = _MASK_SHARE) -> None:
        """mask_share: how much of the similarity is mask IoU, 0..1; the rest is box IoU."""
        self._similarity = _Similarity(mask_share)
        self._tracker = ByteTrackTracker(
            lost_track_buffer=round(LOST * 30),  # counted at 30 frames a second, whatever the rate is
            frame_rate=_RATE,
            minimum_consecutive_frames=1,
            minimum_iou_threshold=_LEAST,
            iou=self._similarity,
        )
        self._next_id = 0
        self._time: float | None = None
        self._clock = 0.0  # grows with each frame, as the library wants it

    def update(self, seen: TrackerInput, start: float) -> NDArray[np.int64]:
        """See `Tracker.update`."""
        self._tick(seen.time)
        fit = np.flatnonzero(_fit(seen.boxes))
        # the library starts with what scores as much
        least = np.nextafter(np.float32(start), np.float32(np.inf))
        self._tracker.track_activation_threshold = self._tracker.high_conf_det_threshold = least
        self._similarity.prepare(self._tracker, seen, fit, least)
        boxes = Boxes(seen.boxes[fit].astype(np.float64), confidence=seen.scores[fit], class_id=fit)
        told = self._tracker.update(boxes, timestamp=self._clock)
        ids = np.full(len(seen.scores), -1, np.int64)
        if told.class_id is not None and told.tracker_id is not None:
            ids[told.class_id] = told.tracker_id
            begun = told.class_id[(told.tracker_id < 0) & (seen.scores[told.class_id] >= least)]
            ids[begun] = self._name_new(len(begun))
        self._similarity.remember(ids)
        return ids

    def reset(self) -> None:
        """See `Tracker.reset`."""
        self._tracker.reset()
        self._similarity.forget()
        self._time = None

    def _tick(self, time: float) -> None:
        step = 1 / _RATE if self._time is None else time - self._time
        self._time = time
        # a picture that comes again stands still for a moment that is too short to matter
        self._clock += step if step > 0 else 1e-3

    def _name_new(self, count: int) -> NDArray[np.int64]:
        """Give the tracks that the last frame began, which are as many, their ids, in the same order."""
        new = [track for track in self._tracker.tracks if track.tracker_id < 0]
        ids = np.arange(self._next_id, self._next_id + count)
        for track, number in zip(new, ids.tolist(), strict=True):
            track.tracker_id = number
        self._next_id += count
        return ids


def _fit(boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
    """[N, 4] -> [N]: which boxes are finite and have an area."""
    finite = np.isfinite(boxes).all(1)
    return finite & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])


class _Seen(NamedTuple):
    """A track as it was seen last."""

    box: NDArray[np.float32]
    mask: NDArray[np.bool_] | None


class _Similarity(BaseIoU):
    """Box IoU and mask IoU, mixed; a track's mask goes along with its predicted box.

    The library asks by boxes alone. Whose they are follows from the order in which it asks: all tracks with
    the confident detections, then the tracks that are left over with the weak ones; not with none of either.
    """

    def __init__(self, mask_share: float) -> None:
        self._mask_share = mask_share
        self._last: dict[int, _Seen] = {}
        self._tracker: ByteTrackTracker | None = None
        self._seen: TrackerInput | None = None
        self._areas: list[int] = []
        self._turns: list[tuple[NDArray[np.int64], float]] = []

    def prepare(
        self, tracker: ByteTrackTracker, seen: TrackerInput, fit: NDArray[np.int64], least: float
    ) -> None:
        """Note what is compared next: the rows `fit` of `seen`, those of a score from `least` on first."""
        strong = seen.scores[fit] >= least
        turns = (fit[strong], 0.0), (fit[~strong], _LEAST_WEAK)
        self._turns = [turn for turn in turns if len(turn[0])]
        self._tracker, self._seen = tracker, seen
        self._areas = [] if seen.masks is None else [int(np.count_nonzero(mask)) for mask in seen.masks]

    def remember(self, ids: NDArray[np.int64]) -> None:
        """Keep what was looked at, whose tracks are these, and forget the tracks that have ended."""
        assert self._tracker is not None
        assert self._seen is not None
        alive = {track.tracker_id for track in self._tracker.tracks}
        self._last = {number: last for number, last in self._last.items() if number in alive}
        masks = self._seen.masks
        for row in np.flatnonzero(ids >= 0):
            mask = None if masks is None else masks[row]
            self._last[int(ids[row])] = _Seen(self._seen.boxes[row], mask)

    def forget(self) -> None:
        """Forget all tracks."""
        self._last = {}

    def _compute(self, boxes_1: NDArray[np.floating], boxes_2: NDArray[np.floating]) -> NDArray[np.float64]:
        assert self._tracker is not None
        rows, least = self._turns.pop(0)
        # a track that was found in this frame has its time set back
        tracks = [track.tracker_id for track in self._tracker.tracks if track.time_since_update]
        assert (len(tracks), len(rows)) == (len(boxes_1), len(boxes_2))
        similarity = box_ious(boxes_1, boxes_2)
        if self._seen is not None and self._seen.masks is not None and self._mask_share > 0:
            self._mix(similarity, tracks, boxes_1, rows, self._seen.masks)
        return np.where(similarity < least, 0.0, similarity)

    def _mix(
        self,
        similarity: NDArray[np.float64],
        tracks: Sequence[int],
        boxes: NDArray[np.floating],
        rows: NDArray[np.int64],
        masks: NDArray[np.bool_],
    ) -> None:
        """Put mask IoU into the similarity [T, D] of tracks, at these predicted boxes, and rows of masks."""
        for t, number in enumerate(tracks):
            near = np.flatnonzero(similarity[t] >= _LEAST)  # others are too far apart whatever the masks
            patch = self._predicted(number, boxes[t], masks) if len(near) else None
            if patch is None:
                continue
            for d in near.tolist():
                iou = mask_iou(patch, masks[rows[d]], self._areas[rows[d]])
                if not math.isnan(iou):
                    similarity[t, d] += self._mask_share * (iou - similarity[t, d])

    def _predicted(self, number: int, box: NDArray[np.floating], masks: NDArray[np.bool_]) -> Patch | None:
        """The mask of a track at its predicted box, on the grid of these masks; None without one."""
        assert self._seen is not None
        last = self._last[number]
        if last.mask is None:
            return None
        return moved(last.mask, last.box, box, self._seen.image_size, (masks.shape[1], masks.shape[2]))
