"""Detection by a proposal network that is looked into."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from model.sharpmask.inspection import inspect
from model.sharpmask.predictor import ProposalPredictor
from pipeline.detectors.base import Pending, StageClock
from pipeline.detectors.plain import PlainDetector
from pipeline.frame import Frame, Result
from pipeline.metrics.run import Metrics
from pipeline.tracking.following import DetectionsFollower


class ProposalInspector(PlainDetector):
    """Detection as by `PlainDetector`, with results that carry `Result.proposals`."""

    def __init__(
        self, predictor: ProposalPredictor, metrics: Metrics, follower: DetectionsFollower | None = None
    ) -> None:
        super().__init__(predictor, metrics, follower)
        self._network = predictor.network
        self._options, self._engines = predictor.options, predictor.engines

    def submit(self, frames: Sequence[Frame]) -> Pending:
        """See `Detector.submit`."""
        clock = StageClock(self._metrics, frames)
        seen = [inspect(self._network, frame.image, self._options, self._engines) for frame in frames]
        clock.lap("forward")

        def collect() -> list[Result]:
            results = self._collect(frames, [one.detections for one in seen], clock)
            return [
                dataclasses.replace(result, proposals=one) for result, one in zip(results, seen, strict=True)
            ]

        return collect
