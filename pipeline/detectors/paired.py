"""Two detectors that look at the same frames, as one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from pipeline.detectors.base import Detector, Pending
from pipeline.frame import Frame, Result


class PairedDetector:
    """Gives every batch to two detectors and pairs what they find in the same frame. See `Detector`.

    A result is the left detector's, with the right one's detections as `other`. Each detector follows its own
    instances. On a GPU nothing is drawn: the two have to be made without a style.
    """

    def __init__(self, left: Detector, right: Detector, in_turn: bool = False) -> None:
        """in_turn: the right one begins once the left one is done, as it must where they share an engine.

        So it does as well where one of them takes a single batch at a time: its work would count as the
        other one's waiting.
        """
        self._left = left
        self._right = right
        self._in_turn = in_turn or min(left.slots, right.slots) == 1

    @property
    def slots(self) -> int:
        """Number of batches that both can have in flight."""
        return 1 if self._in_turn else min(self._left.slots, self._right.slots)

    def submit(self, frames: Sequence[Frame]) -> Pending:
        """See `Detector.submit`."""
        left = self._left.submit(frames)
        if self._in_turn:
            return lambda: paired(left(), self._right.submit(frames)())
        right = self._right.submit(frames)
        return lambda: paired(left(), right())


def paired(left: Sequence[Result], right: Sequence[Result]) -> list[Result]:
    """Return a result for each frame, which must be the same one on both sides; timings are summed."""
    results = []
    for one, other in zip(left, right, strict=True):
        assert one.frame is other.frame, f"frames {one.frame.index} and {other.frame.index} do not pair"
        timings = _sum(one.timings, other.timings)
        results.append(dataclasses.replace(one, other=other.detections, timings=timings, annotated=None))
    return results


def _sum(one: Mapping[str, float], other: Mapping[str, float]) -> Mapping[str, float]:
    """Return the seconds by stage of both sides."""
    return MappingProxyType({key: one.get(key, 0.0) + other.get(key, 0.0) for key in {**one, **other}})
