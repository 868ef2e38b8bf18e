"""The one place where a pipeline's parts are put together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from model.predictor import Predictor
from pipeline.cuda_detector import CudaDetector
from pipeline.detector import Detector
from pipeline.device_streams import CudaStreams
from pipeline.frame import Result
from pipeline.host_detector import HostDetector
from pipeline.metrics import Metrics
from pipeline.overlay import OverlayStyle, draw, draw_text_on
from pipeline.runner import OpenSource, Runner
from pipeline.sinks.base import Sink
from pipeline.stages import Paint, RunOptions


def build_runner(
    open_source: OpenSource,
    predictor: Predictor,
    sinks: Sequence[Sink],
    style: OverlayStyle | None = None,
    show_fps: bool = False,
    options: RunOptions | None = None,
    metrics: Metrics | None = None,
) -> Runner:
    """A pipeline ready to start. style: how results are drawn, None for not at all."""
    metrics = metrics or Metrics()
    detector = build_detector(predictor, metrics, style)
    paint = _unpainted if style is None else painter(style, show_fps)
    return Runner(open_source, detector, paint, sinks, metrics, options)


def build_detector(predictor: Predictor, metrics: Metrics, style: OverlayStyle | None) -> Detector:
    """The detector for the predictor's device. On a GPU it draws too, all but text."""
    if predictor.device.type == "cuda":
        return CudaDetector(predictor, metrics, style, CudaStreams(predictor.device))
    return HostDetector(predictor, metrics)


def painter(style: OverlayStyle, show_fps: bool) -> Paint:
    """What draws results: everything, or only text where a GPU has drawn the rest."""

    def paint(result: Result, fps: float) -> Result:
        badge = f"{fps:.1f} fps" if show_fps else ""
        if result.annotated is not None:
            # a picture of the detector's own, which nobody else has seen
            draw_text_on(result.annotated, result.detections, style, badge)
            return result
        annotated = draw(result.frame.image, result.detections, style, badge=badge)
        return dataclasses.replace(result, annotated=annotated)

    return paint


def _unpainted(result: Result, fps: float) -> Result:
    return result
