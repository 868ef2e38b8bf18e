"""The protocol of detectors: frames go in, results come out in the same order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from types import MappingProxyType
from typing import Protocol

from pipeline.frame import Frame, Result
from pipeline.metrics.run import Metrics, Span

Pending = Callable[[], list[Result]]


class Detector(Protocol):
    """Finds instances in batches of frames. One thread at a time may use it."""

    @property
    def slots(self) -> int:
        """Number of batches that may be in flight at a time."""

    def submit(self, frames: Sequence[Frame]) -> Pending:
        """Begin with a batch, and return a function that waits for its results and returns them.

        Batches are waited for in the order in which they were begun, the oldest one before `slots` more
        are begun. Batches that are not waited for are dropped.
        """


class StageClock:
    """Times the stages that a batch passes one after another: each lap ends one and begins the next."""

    def __init__(self, metrics: Metrics, frames: Sequence[Frame]) -> None:
        self._metrics = metrics
        self._indices = [frame.index for frame in frames]
        self._laps: dict[str, float] = {}
        self._last = monotonic()

    def restart(self, at: float) -> None:
        """Begin the next lap at `at`; the time since the last lap is not counted."""
        self._last = at

    def lap(self, stage: str, thread: str = "") -> float:
        """Count the time since the last lap as this stage's, shared evenly by the frames; returns now."""
        begin, self._last = self._last, monotonic()
        share = (self._last - begin) / len(self._indices)
        self._laps[stage] = share
        for i, index in enumerate(self._indices):
            start = begin + i * share
            self._metrics.add(Span(stage, index, start, start + share, thread=thread))
        return self._last

    def alone(self, frame: Frame) -> StageClock:
        """Return a clock for one of the frames, with its laps so far, that goes on by itself."""
        clock = StageClock(self._metrics, [frame])
        clock._laps.update(self._laps)
        return clock

    def timings(self) -> Mapping[str, float]:
        """Seconds a frame by stage."""
        return MappingProxyType(dict(self._laps))
