"""The one place where a pipeline's parts are put together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from model.instance_predictor import InstancePredictor
from model.predictor import Predictor
from pipeline.detectors.base import Detector
from pipeline.detectors.cuda import CudaDetector
from pipeline.detectors.device_streams import CudaStreams
from pipeline.detectors.host import HostDetector
from pipeline.detectors.plain import PlainDetector
from pipeline.frame import Result
from pipeline.metrics.run import Metrics
from pipeline.overlay.draw import OverlayStyle, draw, draw_text_on
from pipeline.runner import OpenSource, Runner
from pipeline.sinks.base import Sink
from pipeline.stages import Paint, RunOptions
from pipeline.tracking.following import make_detections_follower, make_follower
from pipeline.tracking.options import FollowOptions


def build_runner(
    open_source: OpenSource,
    predictor: InstancePredictor,
    sinks: Sequence[Sink],
    style: OverlayStyle | None = None,
    show_fps: bool = False,
    options: RunOptions | None = None,
    metrics: Metrics | None = None,
    follow: FollowOptions | None = None,
) -> Runner:
    """A pipeline ready to start.

    style: how results are drawn, None for not at all; follow: how instances are followed from frame to frame,
    None for not at all. Raises ConfigError on a choice in `follow` that there is not.
    """
    metrics = metrics or Metrics()
    detector = build_detector(predictor, metrics, style, follow)
    paint = _unpainted if style is None else painter(style, show_fps)
    return Runner(open_source, detector, paint, sinks, metrics, options)


def build_detector(
    predictor: InstancePredictor,
    metrics: Metrics,
    style: OverlayStyle | None,
    follow: FollowOptions | None = None,
) -> Detector:
    """The detector for the predictor and its device. On a GPU YOLACT's draws too, all but text.

    See `build_runner`.
    """
    if not isinstance(predictor, Predictor):
        follower_of_any = None if follow is None else make_detections_follower(follow)
        return PlainDetector(predictor, metrics, follower_of_any)
    follower = None if follow is None else make_follower(follow)
    if predictor.device.type == "cuda":
        return CudaDetector(predictor, metrics, style, CudaStreams(predictor.device), follower)
    return HostDetector(predictor, metrics, follower=follower)


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
