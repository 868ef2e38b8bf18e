"""Accumulation of a measurement: the contribution of each frame to its tracks, its objects and the video."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from model.detections import Detections
from pipeline.stability.frame_masks import ids
from pipeline.stability.jitter import Jitter
from pipeline.stability.records import FrameScore, TrackMoment
from pipeline.stability.track_accumulators import (
    Mean,
    ObjectAccumulator,
    PairMeans,
    Steadiness,
    TrackAccumulator,
)
from pipeline.stability.truth import Assigned


@dataclass(frozen=True, eq=False)
class FrameMeasurement:
    """Measurements of one frame.

    compared:    with the frame before; False begins a new shot
    detections:  as they were given
    jitters:     of the tracks that both frames have; None where it could not be measured
    replaced:    track -> the one whose place it has taken
    objects:     labels of the ground truth in this frame; None: not known
    own_jitters: of the objects that both frames have
    assigned:    label -> its detection
    """

    time: float
    compared: bool
    detections: Detections
    jitters: Mapping[int, Jitter | None]
    replaced: Mapping[int, int]
    objects: tuple[int, ...] | None
    own_jitters: Mapping[int, Jitter | None]
    assigned: Mapping[int, Assigned]


class VideoAccumulator:
    """Adds up frames. It keeps numbers alone.

    frames:     how many there were
    breaks:     those before which a new shot begins, the first one left out
    tracks, objects: by id, by label
    by_tracks, by_objects: steadiness against the tracks alone, and against the ground truth
    covered:    frames with a mask
    masks, empty_masks: totals
    """

    def __init__(self) -> None:
        self.frames = 0
        self.compared = 0
        self.breaks: list[int] = []
        self.tracks: dict[int, TrackAccumulator] = {}
        self.objects: dict[int, ObjectAccumulator] = {}
        self.by_tracks = Steadiness()
        self.by_objects = Steadiness()
        self.means = PairMeans()
        self.area = Mean()
        self.covered = 0
        self.masks = 0
        self.empty_masks = 0
        self._shot = 0

    def record(self, measured: FrameMeasurement) -> FrameScore:
        """Add the next frame, and tell its figures."""
        index = self.frames
        self.frames += 1
        if not measured.compared:
            self._shot = index
            self.breaks += [index] if index else []
        self.compared += measured.compared
        self._record_objects(index, measured)
        moments = self._record_tracks(index, measured)
        self._expect(measured, moments)
        return self._frame(index, measured, tuple(moments.values()))

    def _record_objects(self, index: int, measured: FrameMeasurement) -> None:
        tracks = ids(measured.detections)
        for label in measured.objects or ():
            given = measured.assigned.get(label)
            totals = self.objects.setdefault(label, ObjectAccumulator(label))
            track = tracks[given.index] if given is not None and given.matched else None
            totals.add(index, self._shot, 0.0 if given is None else given.iou, track)
            if own := measured.own_jitters.get(label):
                totals.jitter.add(own.whole)
                totals.boundary.add(own.boundary)

    def _record_tracks(self, index: int, measured: FrameMeasurement) -> dict[int, TrackMoment]:
        """The moment of each detection whose mask is not empty, by its index among the detections."""
        given = {a.index: (label, a) for label, a in measured.assigned.items()}
        moments: dict[int, TrackMoment] = {}
        for i, track in enumerate(ids(measured.detections)):
            # a mask of no track is a track of its own, forgotten at once
            totals = self.tracks.get(track) or TrackAccumulator(track, index)
            label, assigned = given.get(i, (None, None))
            missed = self._missed(totals, index)
            if label is not None and assigned is not None and assigned.matched:
                totals.belongs_to(label)
            before = totals.class_name if totals.last >= self._shot else None
            moment = _moment(measured, i, totals, label, before, len(missed))
            if moment is None:
                self.empty_masks += 1
                continue
            totals.add(index, moment, missed)
            self.by_tracks.missed(missed)
            self.means.add(moment)
            moments[i] = moment
            if track >= 0:
                self.tracks[track] = totals
        return moments

    def _missed(self, totals: TrackAccumulator, index: int) -> list[int]:
        """The frames since the track was seen last, in this shot, in which it should have been."""
        if totals.last < self._shot:
            return []
        if totals.label is None:
            return list(range(totals.last + 1, index))
        return self.objects[totals.label].present_within(totals.last + 1, index)

    def _expect(self, measured: FrameMeasurement, moments: Mapping[int, TrackMoment]) -> None:
        """Add the masks that are expected in this frame, and how still they are."""
        unknown = {i for i, moment in moments.items() if _unmeasured(measured, moment)}
        self.by_tracks.begin(counts=measured.compared and not unknown)
        self.by_objects.begin(counts=False)
        if not measured.compared:
            return
        for i, moment in moments.items():
            if i not in unknown:
                self.by_tracks.expect(1 - moment.jitter if moment.jitter is not None else 0.0)
        for label, own in measured.own_jitters.items():
            given = measured.assigned.get(label)
            index = given.index if given is not None and given.matched else -1
            if own is None or index in unknown:
                continue
            still = moments[index].jitter if index in moments else None
            self.by_objects.expect(0.0 if still is None else 1 - max(still - own.whole, 0.0))

    def _frame(self, index: int, measured: FrameMeasurement, moments: tuple[TrackMoment, ...]) -> FrameScore:
        area = area_under(measured.detections)
        self.area.add(area)
        self.masks += len(moments)
        self.covered += bool(moments)
        means = PairMeans()
        for moment in moments:
            means.add(moment)
        labels, assigned = measured.objects, measured.assigned
        given = None if labels is None else [assigned[label] for label in labels if label in assigned]
        return FrameScore(
            index=index,
            time=measured.time,
            compared=measured.compared,
            masks=len(moments),
            empty_masks=len(measured.detections) - len(moments),
            area_share=area,
            jitter=means.jitter.value,
            boundary_jitter=means.boundary.value,
            excess=means.excess.value,
            boundary_excess=means.boundary_excess.value,
            objects=None if labels is None else len(labels),
            matched=None if given is None else sum(a.matched for a in given),
            iou=sum(a.iou for a in given) / len(labels) if given is not None and labels else None,
            moments=moments,
        )


def area_under(detections: Detections) -> float:
    """The share of the frame's pixels that lie under any mask, 0..1."""
    height, width = detections.image_size
    crops = detections.crops or ()
    if len(crops) < 2:
        return sum(crop.area for crop in crops) / (height * width)
    covered = np.zeros((height, width), dtype=bool)
    for crop in crops:
        rows, columns = crop.pixels.shape
        covered[crop.y : crop.y + rows, crop.x : crop.x + columns] |= crop.pixels
    return int(np.count_nonzero(covered)) / (height * width)


def _moment(
    measured: FrameMeasurement,
    i: int,
    totals: TrackAccumulator,
    label: int | None,
    before: str | None,
    missing: int,
) -> TrackMoment | None:
    """Detection i's figures; None when its mask is empty.

    label: the object that it is assigned to; before: the track's class so far in this shot
    """
    detections = measured.detections
    height, width = detections.image_size
    area = (detections.crops or ())[i].area
    if not area:
        return None
    name = detections.class_names[detections.classes[i]]
    found = measured.jitters.get(totals.track)
    own = None if totals.label is None else measured.own_jitters.get(totals.label)
    whole, boundary = (None, None) if found is None else (found.whole, found.boundary)
    own_whole, own_boundary = (None, None) if own is None else (own.whole, own.boundary)
    return TrackMoment(
        track=totals.track,
        class_name=name,
        score=float(detections.scores[i]),
        area_share=area / (height * width),
        jitter=whole,
        boundary_jitter=boundary,
        excess=_less(whole, own_whole),
        boundary_excess=_less(boundary, own_boundary),
        label=label,
        iou=None if label is None else measured.assigned[label].iou,
        class_changed=before not in (None, name),
        replaced=measured.replaced.get(totals.track),
        missing_before=missing,
    )


def _less(value: float | None, own: float | None) -> float | None:
    return None if value is None or own is None else value - own


def _unmeasured(measured: FrameMeasurement, moment: TrackMoment) -> bool:
    """Return True if the mask continues a track, but too little flow is known to measure its jitter."""
    return moment.jitter is None and moment.track in measured.jitters
