"""A sink that measures: each result goes to the meter, and a few numbers of it are kept for the report."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from math import nan
from typing import TYPE_CHECKING

from app.stability.worst import WorstFrames
from pipeline.frame import Result
from pipeline.sinks.base import SinkReport
from pipeline.sources.base import SourceInfo
from pipeline.stability.meter import StabilityMeter

if TYPE_CHECKING:
    from app.stability.truth import Truth
    from pipeline.stability.records import FrameScore, TrackMoment

FIGURES = ("jitter", "boundary_jitter", "excess", "iou", "area_share")


def _numbers() -> array[float]:
    return array("d")


def _counts() -> array[int]:
    return array("l")


@dataclass
class Line:
    """One track's frames in which it has a mask: their indices, and its jitter there, NaN for none."""

    frames: array[int] = field(default_factory=_counts)
    jitter: array[float] = field(default_factory=_numbers)


@dataclass
class Curves:
    """Figures of every frame for the plots, in arrays of plain numbers; NaN where there is none.

    times:   seconds, of the frames' own
    masks:   how many there are
    figures: by name, those of `FIGURES`
    lines:   by track
    """

    times: array[float] = field(default_factory=_numbers)
    masks: array[int] = field(default_factory=_counts)
    figures: dict[str, array[float]] = field(default_factory=lambda: {name: _numbers() for name in FIGURES})
    lines: dict[int, Line] = field(default_factory=dict)

    def add(self, score: FrameScore) -> None:
        """Keep the numbers of the next frame."""
        self.times.append(score.time)
        self.masks.append(score.masks)
        for name, values in self.figures.items():
            values.append(_or_nan(getattr(score, name)))
        for moment in score.moments:
            if moment.track >= 0:
                self._add(score.index, moment)

    def _add(self, frame: int, moment: TrackMoment) -> None:
        line = self.lines.setdefault(moment.track, Line())
        line.frames.append(frame)
        line.jitter.append(_or_nan(moment.jitter))


class MeterSink:
    """Measures a run. Its figures are there once the run has ended: `meter`, `curves`, `worst`.

    truth: the known masks, None where there are none
    worst: how many pictures of the worst frames are kept
    """

    def __init__(self, truth: Truth | None, worst: int) -> None:
        self.meter = StabilityMeter()
        self.curves = Curves()
        self.worst = WorstFrames(worst)
        self.size = (0, 0)
        self.frames = 0
        self._truth = truth

    def open(self, info: SourceInfo) -> None:
        """Do nothing: there is nothing to prepare."""

    def write(self, result: Result) -> None:
        """Measure one result. Raises DataError where its mask is missing or cannot be read."""
        frame = result.frame
        truth = None if self._truth is None else self._truth.labels(frame.index)
        score = self.meter.add(frame.image, result.detections, float(frame.time), truth)
        self.curves.add(score)
        self.worst.offer(score, result)
        self.size = frame.size
        self.frames += 1

    def close(self, complete: bool) -> SinkReport:
        """Return the number of measured frames. Raises DataError if there are more masks than frames."""
        if complete and self._truth is not None:
            self._truth.check_count(self.frames)
        return SinkReport(None, f"{self.frames} frames measured", whole=complete)


def _or_nan(value: float | None) -> float:
    return nan if value is None else value
