"""Detection by a predictor that tells nothing of what goes on inside it."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING

from model.detections import Detections
from model.instance_predictor import InstancePredictor
from pipeline.detectors.base import Pending, StageClock
from pipeline.frame import Frame, Result
from pipeline.metrics.run import Metrics

if TYPE_CHECKING:
    from pipeline.tracking.following import DetectionsFollower


class PlainDetector:
    """Detection by any `InstancePredictor`, one batch at a time. See `Detector`.

    All the predictor's work counts as "forward", for nothing within it can be told apart; a follower's counts
    as "track". `submit` does the predictor's work at once, and only who collects a batch has the follower see
    it: a batch that is forgotten leaves no trace in any track. A track goes on with what the predictor gives,
    and so with nothing that scores less than what begins one, unless the predictor gives it.
    """

    def __init__(
        self,
        predictor: InstancePredictor,
        metrics: Metrics,
        follower: DetectionsFollower | None = None,
    ) -> None:
        """follower: gives the detections their tracks; None leaves them without."""
        self._predictor = predictor
        self._metrics = metrics
        self._follower = follower

    @property
    def slots(self) -> int:
        """One: each batch is finished before `submit` returns."""
        return 1

    def submit(self, frames: Sequence[Frame]) -> Pending:
        """See `Detector.submit`."""
        clock = StageClock(self._metrics, frames)
        found = self._predictor([frame.image for frame in frames])
        clock.lap("forward")
        return lambda: self._collect(frames, found, clock)

    def _collect(
        self, frames: Sequence[Frame], found: Sequence[Detections], clock: StageClock
    ) -> list[Result]:
        if self._follower is not None:
            clock.restart(monotonic())
            start = self._predictor.score_threshold
            found = [self._follower(here, frame, start) for here, frame in zip(found, frames, strict=True)]
            clock.lap("track")
        timings = clock.timings()
        return [Result(frame, here, timings) for frame, here in zip(frames, found, strict=True)]
