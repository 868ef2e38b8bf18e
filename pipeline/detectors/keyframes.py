"""Detection on key frames; on those between, what was found there is moved along."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from time import monotonic
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.detectors.base import Detector, Pending, StageClock
from pipeline.detectors.motion import Flow, FlowOnSmall, Small, change, move, small_picture
from pipeline.frame import Frame, Result
from pipeline.metrics.run import Metrics
from pipeline.tracking.base import LOST
from pipeline.tracking.options import FollowOptions

MOST_CHANGE = 4.5
"""Grey levels, 0..255, that the flow may leave unexplained; more makes a key frame."""
FARTHEST = 0.12
"""Of the picture's longer side: what nine tenths of it have moved less than, or else it is a key frame."""
STILL = 6
"""Grey levels by which no 8 x 8 block of a picture that stands still differs, noise being averaged out."""

_BLOCK = 8


class _Key:
    """Key frames that were given to the detector together."""

    def __init__(self, pending: Pending) -> None:
        self._pending = pending

    @cached_property
    def results(self) -> list[Result]:
        """The results; the first one to ask waits."""
        return self._pending()


@dataclass(frozen=True, eq=False)
class _Anchor:
    """The last key frame, as those after it see it. place: among the key frames of its batch."""

    frame: Frame
    small: Small
    place: int


class _Step(NamedTuple):
    """The plan for one frame. key: set once it is begun; flow: None for what was found as it is."""

    frame: Frame
    anchor: _Anchor
    key: _Key | None
    flow: Flow | None


class KeyframeDetector:
    """Gives every N-th frame to another detector, and moves its results along for those between.

    A frame is a key frame, too, where the picture has changed too much to be explained by motion: at a cut,
    or when much of it moves far. Where still frames are let go by, one that does not differ from the last key
    frame has its result. See `Detector`.
    """

    def __init__(self, inner: Detector, options: FollowOptions, metrics: Metrics) -> None:
        """inner: looks at key frames; a follower of its sees no other ones."""
        self._inner = inner
        self._options = options
        self._metrics = metrics
        self._motion = FlowOnSmall()
        self._anchor: _Anchor | None = None
        self._key: _Key | None = None  # of the anchor
        self._since = 0  # frames since the anchor
        self._busy: deque[_Key] = deque()  # what the inner detector may not be done with

    @property
    def slots(self) -> int:
        """Number of batches that keep the inner detector busy."""
        return self._inner.slots * self._options.keyframes

    def submit(self, frames: Sequence[Frame]) -> Pending:
        """See `Detector.submit`."""
        before = self._key
        clocks = [StageClock(self._metrics, [frame]) for frame in frames]
        steps: list[_Step] = []
        keys: list[Frame] = []
        for frame, clock in zip(frames, clocks, strict=True):
            anchor, flow = self._placed(frame, len(keys))
            if anchor.frame is frame:
                keys.append(frame)
            fresh = anchor.frame in keys
            steps.append(_Step(frame, anchor, None if fresh else before, flow))
            clock.lap("flow")
        if keys:
            while len(self._busy) >= self._inner.slots:
                _ = self._busy.popleft().results
            self._key = _Key(self._inner.submit(keys))
            self._busy.append(self._key)
        now = self._key
        return lambda: [
            self._result(step._replace(key=step.key or now), clock)
            for step, clock in zip(steps, clocks, strict=True)
        ]

    def _placed(self, frame: Frame, place: int) -> tuple[_Anchor, Flow | None]:
        """Return the key frame that shows what this one does, which may be itself, and the flow from it."""
        small = small_picture(frame.image)
        anchor = self._anchor
        if anchor is not None and _goes_on(anchor, frame):
            if self._options.reuse_still and _is_still(anchor.small, small):
                self._since += 1
                return anchor, None
            if self._since + 1 < self._options.keyframes:
                flow = self._motion(anchor.small, small)
                if _is_explained(anchor.small, small, flow):
                    self._since += 1
                    return anchor, flow
        self._anchor, self._since = _Anchor(frame, small, place), 0
        return self._anchor, None

    def _result(self, step: _Step, clock: StageClock) -> Result:
        assert step.key is not None
        known = step.key.results[step.anchor.place]
        if step.anchor.frame is step.frame:
            return known
        if step.flow is None:
            return Result(step.frame, known.detections, clock.timings())
        clock.restart(monotonic())
        here = move(known.detections, step.flow)
        other = None if known.other is None else move(known.other, step.flow)
        clock.lap("masks")
        return Result(step.frame, here, clock.timings(), other=other)


def _goes_on(anchor: _Anchor, frame: Frame) -> bool:
    """Return whether a frame may show the same scene: its size, and no more time than half a track's life."""
    passed = float(frame.time - anchor.frame.time)
    return frame.size == anchor.frame.size and 0 <= passed <= LOST / 2


def _is_still(before: Small, now: Small) -> bool:
    differing = cv2.absdiff(before, now)
    size = -(-now.shape[1] // _BLOCK), -(-now.shape[0] // _BLOCK)
    return float(cv2.resize(differing, size, interpolation=cv2.INTER_AREA).max()) < STILL


def _is_explained(before: Small, now: Small, flow: Flow) -> bool:
    far = FARTHEST * max(now.shape)
    moved_far = np.count_nonzero(np.abs(flow).max(axis=2) > far)
    return bool(moved_far < 0.1 * now.size) and change(before, now, flow) <= MOST_CHANGE
