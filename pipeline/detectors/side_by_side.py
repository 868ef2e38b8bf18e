"""Two ways to find instances in the same frames: a detector that asks both, and the run around it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from pipeline.builder import build_detector
from pipeline.detectors.base import Detector, Pending
from pipeline.detectors.shared import shared
from pipeline.frame import Result
from pipeline.metrics.run import Metrics, Span
from pipeline.runner import OpenSource, Runner
from pipeline.sinks.base import Sink, SinkReport
from pipeline.sources.base import SourceInfo
from pipeline.stages import Paint, RunOptions
from pipeline.tracking.options import FollowOptions

if TYPE_CHECKING:
    from model.instance_predictor import LoadedPredictor
    from pipeline.frame import Frame

ASIDE = "right side"  # what the right side's threads are called in a trace


@dataclass(frozen=True, eq=False)
class Side:
    """How one side finds its instances. follow: how they are followed from frame to frame."""

    predictor: LoadedPredictor
    follow: FollowOptions


class SideBySideDetector:
    """Gives every batch to two detectors and puts together what they find in the same frame. See `Detector`.

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
        """As many as both can have on their way."""
        return 1 if self._in_turn else min(self._left.slots, self._right.slots)

    def submit(self, frames: Sequence[Frame]) -> Pending:
        """See `Detector.submit`."""
        left = self._left.submit(frames)
        if self._in_turn:
            return lambda: _together(left(), self._right.submit(frames)())
        right = self._right.submit(frames)
        return lambda: _together(left(), right())


class OtherSide:
    """A sink that gives another one the right side's detections, as if nothing else had been looked for."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def open(self, info: SourceInfo) -> None:
        """See `Sink.open`."""
        self._sink.open(info)

    def write(self, result: Result) -> None:
        """See `Sink.write`. The result comes from a `SideBySideDetector`."""
        assert result.other is not None, "the result of a comparison has another side"
        self._sink.write(
            dataclasses.replace(result, detections=result.other, other=None, annotated=None, inspection=None)
        )

    def close(self, complete: bool) -> SinkReport:
        """See `Sink.close`."""
        return self._sink.close(complete)


def build_side_by_side(
    open_source: OpenSource,
    left: Side,
    right: Side,
    paint: Paint,
    sinks: Sequence[Sink],
    options: RunOptions | None = None,
    metrics: Metrics | None = None,
) -> Runner:
    """A pipeline ready to start that finds instances in each frame in two ways.

    paint: draws a result and its `other`, see `pipeline.overlay.side_by_side_paint`. Two predictors on one
    engine share what its network says. Raises ConfigError on a choice in a `follow` that there is not.
    """
    metrics = metrics or Metrics()
    in_turn = left.predictor is right.predictor or _engine(left) is _engine(right)
    one, other = shared(left.predictor, right.predictor)
    detector = SideBySideDetector(
        build_detector(one, metrics, None, left.follow),
        build_detector(other, _Aside(metrics), None, right.follow),
        in_turn,
    )
    return Runner(open_source, detector, paint, sinks, metrics, options)


def _engine(side: Side) -> object:
    """What must not begin with a batch while it is busy with another one."""
    return getattr(side.predictor, "engine", side.predictor)


def _together(left: Sequence[Result], right: Sequence[Result]) -> list[Result]:
    """A result for each frame, which must be the same one on both sides."""
    results = []
    for one, other in zip(left, right, strict=True):
        assert one.frame is other.frame, f"frames {one.frame.index} and {other.frame.index} do not pair"
        timings = _sum(one.timings, other.timings)
        results.append(dataclasses.replace(one, other=other.detections, timings=timings, annotated=None))
    return results


def _sum(one: Mapping[str, float], other: Mapping[str, float]) -> Mapping[str, float]:
    """Seconds by stage, of both sides."""
    return MappingProxyType({key: one.get(key, 0.0) + other.get(key, 0.0) for key in {**one, **other}})


class _Aside(Metrics):
    """Passes on the spans of a second detector. Its threads get names of their own where it names them.

    Spans of one name must not overlap, and two engines may well work at the same time.
    """

    def __init__(self, metrics: Metrics) -> None:
        super().__init__()
        self._metrics = metrics

    def add(self, span: Span) -> None:
        """See `Metrics.add`."""
        named = dataclasses.replace(span, thread=f"{span.thread}, {ASIDE}") if span.thread else span
        self._metrics.add(named)
