"""Detection on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from model.host.detection import HostFound
from model.host.hosting import hosted
from model.host.mask_parts import mask_parts
from model.host.outputs import Floats, ImageOutputs
from model.predictor import Predictor
from pipeline.detectors.base import Pending, StageClock
from pipeline.frame import Frame, Inspection, Result
from pipeline.metrics.run import Metrics

if TYPE_CHECKING:
    from pipeline.tracking.following import FoundFollower


class HostDetector:
    """Detection on the CPU, with an engine that may work on several batches at a time."""

    def __init__(
        self,
        predictor: Predictor,
        metrics: Metrics,
        inspect: bool = False,
        follower: FoundFollower | None = None,
    ) -> None:
        """predictor: of any kind; what follows its engine is done on the CPU
        inspect: results carry an `Inspection` where the engine gives prototypes
        follower: gives detections their tracks; None leaves them without
        """
        self._predictor = hosted(predictor)
        self._metrics = metrics
        self._inspect = inspect
        self._follower = follower
        self._largest = 0
        self._engine_free = 0.0  # when the engine gave its last outputs

    @property
    def slots(self) -> int:
        """Number of batches that the engine works on at a time."""
        return self._predictor.engine.slots

    def submit(self, frames: Sequence[Frame]) -> Pending:
        """See `Detector.submit`."""
        clock = StageClock(self._metrics, frames)
        images = self._filled(self._predictor.prepare([frame.image for frame in frames]))
        clock.lap("prepare")
        begun = monotonic()
        wait = self._predictor.engine.start(images)
        return lambda: self._collect(frames, clock, begun, wait)

    def _filled(self, images: Floats) -> Floats:
        """images: [B, 3, h, w], filled up to the largest batch so far: engines are made for a size."""
        self._largest = max(self._largest, len(images))
        missing = self._largest - len(images)
        return np.concatenate([images, *[images[-1:]] * missing]) if missing else images

    def _collect(
        self,
        frames: Sequence[Frame],
        clock: StageClock,
        begun: float,
        wait: Callable[[], list[ImageOutputs]],
    ) -> list[Result]:
        outputs = wait()
        # batches on their way at the same time share the engine: each counts from where the last one ended
        clock.restart(max(begun, self._engine_free))
        self._engine_free = clock.lap("forward", thread="engine")
        # a batch may have been filled up
        return [
            self._result(frame, one, clock.alone(frame)) for frame, one in zip(frames, outputs, strict=False)
        ]

    def _result(self, frame: Frame, outputs: ImageOutputs, clock: StageClock) -> Result:
        found = self._followed(outputs, frame, clock)
        found = self._predictor.add_masks(found, outputs, frame.size)
        here = self._predictor.to_detections(found, outputs, frame.size)
        inspection = self._inspection(found, outputs, frame)
        clock.lap("masks")
        return Result(frame, here, clock.timings(), inspection=inspection)

    def _followed(self, outputs: ImageOutputs, frame: Frame, clock: StageClock) -> HostFound:
        """Return the detections before masks are assembled, with tracks where instances are followed."""
        predictor, follower = self._predictor, self._follower
        options = predictor.options
        wide = options if follower is None else follower.widened(options)
        found = predictor.suppress(outputs, frame.size, wide)
        clock.lap("nms")
        if follower is None:
            return found
        inner = predictor.in_frame(outputs, frame.size)
        found = follower(found, inner, options.thresholds(predictor.config), frame)
        clock.lap("track")
        return found

    def _inspection(self, found: HostFound, outputs: ImageOutputs, frame: Frame) -> Inspection | None:
        if not self._inspect or outputs.prototypes is None:
            return None
        return Inspection(*mask_parts(found, self._predictor.in_frame(outputs, frame.size)))
