"""Running figures of tracks and of the ground truth's objects: a few numbers each, whatever the length."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from pipeline.stability.records import ObjectScore, TrackMoment, TrackScore


@dataclass
class Mean:
    """The mean of what is added; of nothing it is None."""

    total: float = 0.0
    count: int = 0

    def add(self, value: float | None) -> None:
        """Count a value in; None counts for nothing."""
        if value is not None:
            self.total += value
            self.count += 1

    @property
    def value(self) -> float | None:
        """The mean so far."""
        return self.total / self.count if self.count else None


@dataclass
class PairMeans:
    """Means over pairs of frames, of a track or of all tracks."""

    jitter: Mean = field(default_factory=Mean)
    boundary: Mean = field(default_factory=Mean)
    excess: Mean = field(default_factory=Mean)
    boundary_excess: Mean = field(default_factory=Mean)

    def add(self, moment: TrackMoment) -> None:
        """Count a moment's figures in, those that it has."""
        self.jitter.add(moment.jitter)
        self.boundary.add(moment.boundary_jitter)
        self.excess.add(moment.excess)
        self.boundary_excess.add(moment.boundary_excess)


@dataclass
class ObjectAccumulator:
    """An object of the ground truth so far.

    present:    the frames in which it is there, rising
    last_track: the track that it was matched with last in this shot
    """

    label: int
    present: list[int] = field(default_factory=list)
    matched: int = 0
    iou: Mean = field(default_factory=Mean)
    iou_change: Mean = field(default_factory=Mean)
    jitter: Mean = field(default_factory=Mean)
    boundary: Mean = field(default_factory=Mean)
    id_changes: list[int] = field(default_factory=list)
    last_track: int | None = None
    last_iou: float = 0.0

    def add(self, index: int, shot: int, iou: float, track: int | None) -> None:
        """The next frame in which the object is there.

        shot: the first frame of this frame's shot; iou: with what is assigned to it, 0 for nothing; track: of
        its match, None without one, -1 for a match that is part of no track
        """
        before = self.present[-1] if self.present else -1
        if before < shot:
            self.last_track = None
        elif before == index - 1:
            self.iou_change.add(abs(iou - self.last_iou))
        self.present.append(index)
        self.iou.add(iou)
        self.last_iou = iou
        self.matched += track is not None
        if track is not None and track >= 0:
            if self.last_track is not None and self.last_track != track:
                self.id_changes.append(index)
            self.last_track = track

    def present_within(self, first: int, end: int) -> list[int]:
        """The frames from `first` on and before `end` in which it is there."""
        return self.present[bisect_left(self.present, first) : bisect_left(self.present, end)]

    def score(self) -> ObjectScore:
        """The object's figures; it was there in one frame at least."""
        return ObjectScore(
            label=self.label,
            frames=len(self.present),
            matched=self.matched,
            iou=self.iou.value or 0.0,
            iou_change=self.iou_change.value,
            jitter=self.jitter.value,
            boundary_jitter=self.boundary.value,
            id_changes=tuple(self.id_changes),
        )


@dataclass
class TrackAccumulator:
    """A track so far. `last` is the frame in which it was seen last, `class_name` its class then."""

    track: int
    first: int
    last: int = -1
    class_name: str = ""
    seen: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    missing: list[int] = field(default_factory=list)
    class_changes: list[int] = field(default_factory=list)
    id_changes: list[int] = field(default_factory=list)
    means: PairMeans = field(default_factory=PairMeans)
    area: Mean = field(default_factory=Mean)
    iou: Mean = field(default_factory=Mean)
    labels: list[int] = field(default_factory=list)
    label: int | None = None
    steadiness: Mean = field(default_factory=Mean)
    worst: TrackMoment | None = None
    worst_frame: int | None = None

    def add(self, index: int, moment: TrackMoment, missed: list[int]) -> None:
        """The next frame in which it is seen; `missed`: those in which it should have been since the last."""
        self.last, self.class_name = index, moment.class_name
        self.seen += 1
        self.classes[moment.class_name] += 1
        self.missing += missed
        if moment.class_changed:
            self.class_changes.append(index)
        if moment.replaced is not None:
            self.id_changes.append(index)
        self.means.add(moment)
        self.area.add(moment.area_share)
        self.iou.add(moment.iou)
        self._steadiness(moment, len(missed))
        if moment.jitter is not None and (self.worst is None or _badness(moment) > _badness(self.worst)):
            self.worst, self.worst_frame = moment, index

    def belongs_to(self, label: int) -> None:
        """Note a match with this object of the ground truth."""
        self.label = label
        if label not in self.labels:
            self.labels.append(label)

    def _steadiness(self, moment: TrackMoment, missed: int) -> None:
        if moment.jitter is not None:
            self.steadiness.add(1 - moment.jitter)
        elif missed:
            # the frames that it missed, and the one in which it is back
            self.steadiness.count += missed + 1

    def score(self) -> TrackScore:
        """The track's figures; it was seen in one frame at least."""
        return TrackScore(
            track=self.track,
            class_name=self.classes.most_common(1)[0][0],
            first=self.first,
            last=self.last,
            seen=self.seen,
            missing=len(self.missing),
            gaps=runs(self.missing),
            class_changes=tuple(self.class_changes),
            id_changes=tuple(self.id_changes),
            compared=self.means.jitter.count,
            jitter=self.means.jitter.value,
            boundary_jitter=self.means.boundary.value,
            excess=self.means.excess.value,
            boundary_excess=self.means.boundary_excess.value,
            worst_frame=self.worst_frame,
            worst_jitter=None if self.worst is None else self.worst.jitter,
            area_share=self.area.value or 0.0,
            labels=tuple(self.labels),
            iou=self.iou.value,
            stability=self.steadiness.value,
        )


def runs(frames: list[int]) -> tuple[tuple[int, int], ...]:
    """Frames in rising order as runs of neighbours: the first one, and how many."""
    found: list[tuple[int, int]] = []
    for frame in frames:
        if found and frame == sum(found[-1]):
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((frame, 1))
    return tuple(found)


def _badness(moment: TrackMoment) -> float:
    """Return the figure by which the worst frame is chosen: the excess where there is ground truth."""
    value = moment.jitter if moment.excess is None else moment.excess
    return -1.0 if value is None else value


class Steadiness:
    """Two numbers a frame: how many masks are expected, and the sum of their 1 - jitter.

    Only frames that are compared with the one before count. An expected mask that is missing adds nothing to
    the sum, so that leaving masks out lowers the figure.
    """

    def __init__(self) -> None:
        self._expected: list[int] = []
        self._still: list[float] = []
        self._counts: list[bool] = []

    def begin(self, counts: bool) -> None:
        """Begin the next frame; `counts`: it counts, as 0, even if no mask is expected in it."""
        self._expected.append(0)
        self._still.append(0.0)
        self._counts.append(counts)

    def expect(self, still: float) -> None:
        """Add an expected mask to this frame; still: its 1 - jitter, 0 where there is none to compare."""
        self._expected[-1] += 1
        self._still[-1] += still

    def missed(self, frames: Iterable[int]) -> None:
        """Add one expected and missing mask to each of these earlier frames."""
        for frame in frames:
            self._expected[frame] += 1

    def value(self) -> float | None:
        """The mean over the frames of the mean over their expected masks, 0..1; None if no frame counts."""
        frames = [
            still / max(expected, 1)
            for still, expected, counts in zip(self._still, self._expected, self._counts, strict=True)
            if counts or expected
        ]
        return sum(frames) / len(frames) if frames else None
