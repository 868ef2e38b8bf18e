"""Times of a device's work on a batch, measured by events and converted to the host's clock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import NamedTuple

from pipeline.detectors.device_streams import DeviceEvent, DeviceStreams
from pipeline.frame import Frame
from pipeline.metrics.run import Metrics, Span


class Lap(NamedTuple):
    """A stage's work on one stream; `thread` is what the stream is called in metrics and traces."""

    stage: str
    thread: str
    begin: DeviceEvent
    end: DeviceEvent


class DeviceLaps:
    """The events of one batch: each lap ends one stage on the current stream and begins the next."""

    def __init__(self, streams: DeviceStreams) -> None:
        self._streams = streams
        self._thread = ""
        self.began = monotonic()  # on the host; nothing happens on the device before
        self.laps: list[Lap] = []

    def start(self, thread: str) -> None:
        """Begin laps on the current stream, once it was told what to wait for."""
        self._thread = thread
        self._last = self._recorded()

    def lap(self, stage: str) -> DeviceEvent:
        """Count the current stream's work since the last lap as this stage's, and return its end."""
        begin, self._last = self._last, self._recorded()
        self.laps.append(Lap(stage, self._thread, begin, self._last))
        return self._last

    @property
    def last(self) -> DeviceEvent:
        """The end of the last lap."""
        return self.laps[-1].end

    def _recorded(self) -> DeviceEvent:
        event = self._streams.event()
        event.record()
        return event


class DeviceClock:
    """Reports finished batches, one after another. Reads events that were reached: nothing waits."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._known: tuple[DeviceEvent, float] | None = None  # an event, and when it was reached
        self._spent: dict[str, float] = {}  # until when each thread's time is told

    def report(self, laps: DeviceLaps, frames: Sequence[Frame]) -> Mapping[str, float]:
        """One span a lap and frame, which share a lap evenly; seconds a frame by stage.

        The last lap's end has been reached, and with it every other.
        """
        end = laps.last
        at = self._time_of(end, laps)
        self._known = end, at
        seconds: defaultdict[str, float] = defaultdict(float)
        for lap in laps.laps:
            begun, ended = (at - event.elapsed_time(end) / 1e3 for event in (lap.begin, lap.end))
            seconds[lap.stage] += (ended - begun) / len(frames)
            self._tell(lap, begun, ended, frames)
        return dict(seconds)

    def _time_of(self, end: DeviceEvent, laps: DeviceLaps) -> float:
        """Return the time at which an event was reached, in seconds of `time.monotonic()`.

        Counted on from the last one, and kept between the two times that the host knows for certain: the
        batch began on the device after it did on the host, and has ended by now.
        """
        now = monotonic()
        if self._known is None:
            return now
        event, then = self._known
        earliest = laps.began + laps.laps[0].begin.elapsed_time(end) / 1e3
        return min(max(then + event.elapsed_time(end) / 1e3, earliest), now)

    def _tell(self, lap: Lap, begun: float, ended: float, frames: Sequence[Frame]) -> None:
        # the two clocks are set by each other once a batch, and a step back must not make spans overlap
        begun = max(begun, self._spent.get(lap.thread, begun))
        ended = self._spent[lap.thread] = max(begun, ended)
        share = (ended - begun) / len(frames)
        for i, frame in enumerate(frames):
            start = begun + i * share
            self._metrics.add(Span(lap.stage, frame.index, start, start + share, thread=lap.thread))
