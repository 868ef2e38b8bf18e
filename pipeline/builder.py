"""Builds runners: the source, the detector, the overlay and the sinks of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.instance_predictor import InstancePredictor
from pipeline.detectors.build import build_detector
from pipeline.detectors.paired import PairedDetector
from pipeline.detectors.shared import shared
from pipeline.frame import Result
from pipeline.metrics.run import Metrics, Span
from pipeline.overlay.draw import OverlayStyle, draw, draw_text_on
from pipeline.runner import OpenSource, Runner
from pipeline.sinks.base import Sink
from pipeline.stages import Paint, RunOptions
from pipeline.tracking.options import FollowOptions

if TYPE_CHECKING:
    from model.instance_predictor import LoadedPredictor


@dataclass(frozen=True, eq=False)
class Side:
    """The predictor of one side of a comparison, and its options of tracking."""

    predictor: LoadedPredictor
    follow: FollowOptions


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
    """Return a runner that is ready to start.

    style: how results are drawn, None for not at all; follow: how instances are followed from frame to frame,
    None for not at all. Raises ConfigError on a choice in `follow` that there is not.
    """
    metrics = metrics or Metrics()
    detector = build_detector(predictor, metrics, style, follow)
    paint = _unpainted if style is None else painter(style, show_fps)
    return Runner(open_source, detector, paint, sinks, metrics, options)


def build_side_by_side(
    open_source: OpenSource,
    left: Side,
    right: Side,
    paint: Paint,
    sinks: Sequence[Sink],
    options: RunOptions | None = None,
    metrics: Metrics | None = None,
) -> Runner:
    """Return a runner, ready to start, that detects in each frame with two predictors.

    paint: draws a result and its `other`, see `SideBySidePaint`. Two predictors on one engine share what its
    network says. Raises ConfigError on a choice in a `follow` that there is not.
    """
    metrics = metrics or Metrics()
    in_turn = left.predictor is right.predictor or _engine(left) is _engine(right)
    one, other = left.predictor, right.predictor
    if not left.follow.skips:
        one, other = shared(one, other)
    detector = PairedDetector(
        build_detector(one, metrics, follow=left.follow),
        build_detector(other, _RightMetrics(metrics), follow=right.follow),
        in_turn,
    )
    return Runner(open_source, detector, paint, sinks, metrics, options)


def _engine(side: Side) -> object:
    """Return the part of a side that works on one batch at a time: its engine, or the predictor itself."""
    return getattr(side.predictor, "engine", side.predictor)


class _RightMetrics(Metrics):
    """Passes on the right side's spans. Its threads get names of their own where it names them.

    Spans of one name must not overlap, and two engines may well work at the same time.
    """

    def __init__(self, metrics: Metrics) -> None:
        super().__init__()
        self._metrics = metrics

    def add(self, span: Span) -> None:
        """See `Metrics.add`."""
        named = dataclasses.replace(span, thread=f"{span.thread}, right side") if span.thread else span
        self._metrics.add(named)


def painter(style: OverlayStyle, show_fps: bool) -> Paint:
    """Return a function that draws results: everything, or only text where a GPU has drawn the rest."""

    def paint(result: Result, fps: float) -> Result:
        badge = f"{fps:.1f} fps" if show_fps else ""
        if result.annotated is not None:
            # a picture of the detector's own, not shared yet
            draw_text_on(result.annotated, result.detections, style, badge)
            return result
        annotated = draw(result.frame.image, result.detections, style, badge=badge)
        return dataclasses.replace(result, annotated=annotated)

    return paint


def _unpainted(result: Result, fps: float) -> Result:
    return result
