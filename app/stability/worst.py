"""The worst frames of a run: found as the frames come by, and kept as pictures, however long the video is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.stability.pictures import ChangePainter

if TYPE_CHECKING:
    from pipeline.frame import Result
    from pipeline.stability.records import FrameScore, TrackMoment

APART = 4  # frames between two pictures: the moments around the worst one look just like it
LEAST_AREA = 0.002  # of the frame: what is smaller counts less, for a mask of few pixels is never still


@dataclass(frozen=True)
class WorstFrame:
    """One of the worst frames.

    index:   of the frame; `time` its own in seconds
    moment:  the mask that makes it so
    badness: by which the frames are ranked, see `badness`
    jpeg:    the picture: the frame before on the left, the frame itself on the right
    """

    index: int
    time: float
    moment: TrackMoment
    badness: float
    jpeg: bytes

    @property
    def what(self) -> str:
        """The event in words."""
        moment = self.moment
        parts = []
        if moment.missing_before:
            frames = "frame" if moment.missing_before == 1 else "frames"
            parts.append(f"back after {moment.missing_before} {frames} without a mask")
        elif moment.jitter is not None:
            parts.append(f"jitter {100 * moment.jitter:.1f} %")
        if moment.excess is not None:
            parts.append(f"{100 * moment.excess:+.1f} points against the ground truth's own")
        if moment.class_changed:
            parts.append(f"class becomes {moment.class_name}")
        if moment.replaced is not None:
            parts.append(f"takes the place of track {moment.replaced}")
        return ", ".join(parts)


def badness(moment: TrackMoment) -> float:
    """Return the unsteadiness of a mask, 0..1: 1 where it is back or has taken another track's place.

    Otherwise it is the jitter, less the ground truth's own where that is known. Masks of less than
    `LEAST_AREA` of the frame count in proportion.
    """
    measured = moment.jitter if moment.excess is None else moment.excess
    bad = 1.0 if _was_gone(moment) else max(measured or 0.0, 0.0)
    return bad * min(moment.area_share / LEAST_AREA, 1.0)


class WorstFrames:
    """Keeps pictures of at most twice `count` frames, whatever the length of the video.

    About half of those that are given are of masks that were gone, where there are so many, and the others of
    masks that jitter: a mask that comes and goes would else hide every other trouble.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._back = _Shelf(count)
        self._jittering = _Shelf(count)
        self._before: Result | None = None
        self._painter = ChangePainter()

    def __iter__(self) -> Iterator[WorstFrame]:
        """`count` of them where there are so many, the worst one first."""
        back, jittering = self._back.worst_first(), self._jittering.worst_first()
        of_back = min(len(back), max(self._count // 2, self._count - len(jittering)))
        chosen = [*back[:of_back], *jittering[: self._count - of_back]]
        return iter(sorted(chosen, key=_rank))

    def offer(self, score: FrameScore, result: Result) -> None:
        """Take the next frame, which is drawn only where it is among the worst so far."""
        before, self._before = self._before, result
        if before is None or not score.compared or not self._count:
            return
        moments = score.moments
        if score.objects is not None:  # what is no known object may be right or wrong
            moments = tuple(moment for moment in moments if moment.label is not None)
        for shelf, gone in ((self._back, True), (self._jittering, False)):
            alike = [moment for moment in moments if _was_gone(moment) == gone]
            if not alike:
                continue
            moment = max(alike, key=badness)
            if shelf.wants(score.index, badness(moment)):
                jpeg = self._painter(before, result, moment.track, moment.replaced)
                shelf.put(WorstFrame(score.index, score.time, moment, badness(moment), jpeg))


class _Shelf:
    """The worst frames of one kind, never two that are close to each other."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._kept: list[WorstFrame] = []

    def worst_first(self) -> list[WorstFrame]:
        return sorted(self._kept, key=_rank)

    def wants(self, index: int, bad: float) -> bool:
        rival = self._rival(index)
        return bad > 0 and (rival is None or rival.badness < bad)

    def put(self, frame: WorstFrame) -> None:
        rival = self._rival(frame.index)
        if rival is not None:
            self._kept.remove(rival)
        self._kept.append(frame)

    def _rival(self, index: int) -> WorstFrame | None:
        """Return the kept frame that a new one would replace: its neighbour, or the least bad one."""
        near = [kept for kept in self._kept if index - kept.index < APART]
        if near:
            return near[-1]
        return max(self._kept, key=_rank) if len(self._kept) == self._count else None


def _was_gone(moment: TrackMoment) -> bool:
    return bool(moment.missing_before) or moment.replaced is not None


def _rank(frame: WorstFrame) -> tuple[float, int]:
    return -frame.badness, frame.index
