"""What the tests of detectors share: runs, and what is asked of their results."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
import torch

from model.detection.postprocessing import find
from pipeline.detectors.base import Detector
from pipeline.detectors.cuda import CudaDetector
from pipeline.detectors.host import HostDetector
from pipeline.frame import Frame, Result
from pipeline.metrics.run import Metrics, Span
from pipeline.overlay.device import draw_masks
from pipeline.overlay.draw import OverlayStyle
from tests.pipeline.deferred_streams import DeferredStreams
from tests.pipeline.pretended_device import NAME
from tests.pipeline.small_engines import small_predictor

DEVICE = torch.device(NAME)
CPU = torch.device("cpu")
STYLE = OverlayStyle(labels=False)


class Spans:
    """A trace that keeps its spans."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def span(self, span: Span) -> None:
        self.spans.append(span)

    def of(self, thread: str) -> list[Span]:
        return [span for span in self.spans if span.thread == thread]


def results(detector: Detector, frames: Sequence[Frame], batch: int = 1) -> list[Result]:
    """What a run makes of the frames, with as many batches on their way as it may have."""
    done, pending = [], deque()
    for start in range(0, len(frames), batch):
        if len(pending) == detector.slots:
            done += pending.popleft()()
        pending.append(detector.submit(frames[start : start + batch]))
    return done + [result for collect in pending for result in collect()]


def on_host(frames: Sequence[Frame], batch: int = 1, **options) -> list[Result]:
    return results(HostDetector(small_predictor(CPU, torch.clone, **options), Metrics()), frames, batch)


def deferred(streams: DeferredStreams, style: OverlayStyle | None = STYLE, **options) -> CudaDetector:
    return CudaDetector(small_predictor(DEVICE, streams.device.upload, **options), Metrics(), style, streams)


def check_equal(found: Sequence[Result], expected: Sequence[Result]) -> None:
    for one, other in zip(found, expected, strict=True):
        a, b = one.detections, other.detections
        assert one.frame is other.frame
        assert (a.image_size, a.class_names) == (b.image_size, b.class_names)
        np.testing.assert_array_equal(a.classes, b.classes)
        np.testing.assert_allclose(a.boxes, b.boxes, atol=1e-3)
        np.testing.assert_allclose(a.scores, b.scores, atol=1e-5)
        np.testing.assert_allclose(a.box_scores, b.box_scores, atol=1e-5)
        assert a.has_masks == b.has_masks
        if a.has_masks:
            np.testing.assert_array_equal(a.masks, b.masks)


def check_drawn(results: Sequence[Result]) -> None:
    """That the pictures are what the same drawing gives on the CPU, save for rounding."""
    predictor = small_predictor(CPU, torch.clone)
    for result in results:
        raw = predictor.engine.start(predictor.prepare([result.frame.image]))()
        found = find(raw, predictor.decoder, predictor.options)
        expected = draw_masks(torch.from_numpy(result.frame.image), found, 0, STYLE).numpy()
        assert result.annotated is not None
        assert np.abs(result.annotated.astype(int) - expected).max() <= 1
