"""How still the masks of one side are, so far and lately."""

from __future__ import annotations

from collections import deque

from model.detections import Detections
from pipeline.frame import Frame
from pipeline.stability.meter import StabilityMeter
from pipeline.stability.motion import Motion
from pipeline.stability.records import StabilitySummary

RECENT = 2.0  # seconds of film that are looked back


class SideMeter:
    """Measures the frames of a run one after another. See `pipeline.stability`. One thread at a time."""

    def __init__(self) -> None:
        self._meter = StabilityMeter()
        self._latest: deque[tuple[float, tuple[float, ...]]] = deque()  # times, and jitter of each mask
        self._sum = 0.0
        self._count = 0

    def add(self, frame: Frame, detections: Detections, motion: Motion | None = None) -> None:
        """Measure the next frame. Raises ValueError without masks or tracks; see `StabilityMeter.add`."""
        time = float(frame.time)
        moments = self._meter.add(frame.image, detections, time, motion=motion).moments
        jitters = tuple(moment.jitter for moment in moments if moment.jitter is not None)
        self._sum += sum(jitters)
        self._count += len(jitters)
        self._latest.append((time, jitters))
        # time goes backwards where a source begins anew
        while not 0 <= time - self._latest[0][0] <= RECENT:
            self._latest.popleft()

    @property
    def recent(self) -> float | None:
        """Mean jitter, 0..1, over all pairs of masks of the last `RECENT` seconds; None without any."""
        jitters = [jitter for _, of_frame in self._latest for jitter in of_frame]
        return sum(jitters) / len(jitters) if jitters else None

    @property
    def mean(self) -> float | None:
        """The same of all frames so far."""
        return self._sum / self._count if self._count else None

    def summary(self) -> StabilitySummary:
        """All figures so far."""
        return self._meter.summary()
