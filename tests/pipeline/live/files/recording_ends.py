"""What tests of the recorder share: how recordings end, seen sinks, and frames captured at chosen times."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator, Sequence
from queue import Queue

from pipeline.frame import Result
from pipeline.sinks.base import SinkReport
from tests.pipeline import standins
from tests.pipeline.sinks.recordings import numbered

PATIENCE = 20.0  # seconds after which something is not going to happen any more

End = tuple[tuple[SinkReport, ...], Exception | None]


class Ends:
    """Takes what recordings tell when they end."""

    def __init__(self) -> None:
        self.seen: Queue[End] = Queue()
        self.threads: list[str] = []

    def __call__(self, reports: tuple[SinkReport, ...], error: Exception | None) -> None:
        self.threads.append(threading.current_thread().name)
        self.seen.put((reports, error))

    def next(self) -> End:
        """Waits for the next end of a recording."""
        return self.seen.get(timeout=PATIENCE)


class StuckSink(standins.Sink):
    """Does not come back from the first write until it is let."""

    def __init__(self) -> None:
        self.entered, self.let = threading.Event(), threading.Event()
        super().__init__("write", self._wait)

    def _wait(self) -> None:
        self.entered.set()
        assert self.let.wait(PATIENCE)


def captured(seconds: Sequence[float], first: int = 0, size: tuple[int, int] = (64, 48)) -> Iterator[Result]:
    """Results captured at these times, whose own stamps run backward, as if somebody went back."""
    results = numbered([10_000 - 40 * i for i in range(len(seconds))], size=size)
    for index, (result, at) in enumerate(zip(results, seconds, strict=True), first):
        frame = dataclasses.replace(result.frame, index=index, captured_at=at)
        yield dataclasses.replace(result, frame=frame)


def every_tenth(count: int) -> list[float]:
    """Times a tenth of a second apart, some time after the machine was started."""
    return [1000 + i / 10 for i in range(count)]
