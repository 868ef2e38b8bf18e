"""Detection on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING

import torch

from model.detection.decoding import Decoder, for_frames
from model.detection.mask_parts import mask_parts
from model.detection.postprocessing import Found, add_masks, suppress
from model.detection.raw_outputs import RawOutputs
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
        """inspect: results carry an `Inspection` where the engine gives prototypes
        follower: gives detections their tracks; None leaves them without
        """
        self._predictor = predictor
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

    def _filled(self, images: torch.Tensor) -> torch.Tensor:
        """images: [B, 3, h, w], filled up to the largest batch so far: engines are made for a size."""
        self._largest = max(self._largest, len(images))
        missing = self._largest - len(images)
        return torch.cat([images, images[-1:].expand(missing, -1, -1, -1)]) if missing else images

    def _collect(
        self, frames: Sequence[Frame], clock: StageClock, begun: float, wait: Callable[[], RawOutputs]
    ) -> list[Result]:
        predictor = self._predictor
        raw = wait()
        # batches on their way at the same time share the engine: each counts from where the last one ended
        clock.restart(max(begun, self._engine_free))
        self._engine_free = clock.lap("forward", thread="engine")
        raw, decoder = for_frames(raw, predictor.decoder, frames[0].size)
        return [  # one by one, see `RawOutputs.image`
            self._result(frame, raw.image(number), decoder, clock.alone(frame))
            for number, frame in enumerate(frames)
        ]

    def _result(self, frame: Frame, raw: RawOutputs, decoder: Decoder, clock: StageClock) -> Result:
        """raw: of this frame, B = 1."""
        options = self._predictor.options
        found = self._suppressed(raw, decoder, frame, clock)
        found = add_masks(found, raw, decoder, options, keep_coefficients=self._inspect)
        (here,) = self._predictor.finish(found, raw, [frame.size])
        inspection = self._inspection(found, raw)
        clock.lap("masks")
        return Result(frame, here, clock.timings(), inspection=inspection)

    def _suppressed(self, raw: RawOutputs, decoder: Decoder, frame: Frame, clock: StageClock) -> Found:
        """Return the detections before masks are assembled, with tracks where instances are followed."""
        options = self._predictor.options
        if self._follower is None:
            found = suppress(raw, decoder, options)
            clock.lap("nms")
            return found
        found = suppress(raw, decoder, self._follower.widened(options))
        clock.lap("nms")
        found = self._follower(found, raw, options.thresholds(decoder.config), [frame])
        clock.lap("track")
        return found

    def _inspection(self, found: Found, raw: RawOutputs) -> Inspection | None:
        if not self._inspect or raw.prototypes is None:
            return None
        (parts,) = mask_parts(found, raw)
        return Inspection(*parts)
