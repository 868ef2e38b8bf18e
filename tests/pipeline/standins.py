"""Small honest parts for the pipeline's own tests: what they do is what the protocols say, and no more."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence
from fractions import Fraction
from time import monotonic

import numpy as np

from model.detections import no_detections
from pipeline.detectors.base import Pending
from pipeline.frame import Frame, Result
from pipeline.sinks.base import SinkReport
from pipeline.sources.base import SourceInfo

Fault = Callable[[], None]


def nothing() -> None:
    """No fault."""


def fail() -> None:
    """The fault that tests look for."""
    raise OSError("the cable is out")


class Source:
    """`count` small frames (None: endless), their pixels the index; `fault` runs before frame `at`."""

    def __init__(
        self, count: int | None, live: bool = False, at: int = -1, fault: Fault = nothing, pace: float = 0
    ) -> None:
        self.info = SourceInfo("stand-in", live, 8, 6, Fraction(10), count)
        self.warnings = ("it creaks",)
        self.closed = 0
        self._count, self._at, self._fault, self._pace = count, at, fault, pace
        self._next = 0
        self.skip: set[int] = set()
        self._interrupted = threading.Event()

    def read(self) -> Frame | None:
        if self._next == self._at:
            self._fault()
        self._interrupted.wait(self._pace)
        if self._interrupted.is_set() or self._next == self._count:
            return None
        while self._next in self.skip:
            self._next += 1
        index, self._next = self._next, self._next + 1
        image = np.full((6, 8, 3), index % 256, np.uint8)
        return Frame(image, index, index, Fraction(1, 10), monotonic())

    @property
    def given(self) -> int:
        """How many frames it gave so far."""
        return self._next

    def interrupt(self) -> None:
        self._interrupted.set()

    def hang(self) -> None:
        """A fault: a read that never returns by itself."""
        self._interrupted.wait()

    def close(self) -> None:
        self.closed += 1


class Detector:
    """Finds nothing in any frame, with `slots` batches on their way; remembers the sizes of the batches."""

    def __init__(self, slots: int = 1, at: int = -1, in_submit: Fault = nothing, in_collect: Fault = nothing):
        self.slots = slots
        self.batches: list[int] = []
        self.most_pending = 0
        self._pending = 0
        self._at, self._in_submit, self._in_collect = at, in_submit, in_collect
        self.always = False

    def submit(self, frames: Sequence[Frame]) -> Pending:
        due = self.always or any(frame.index == self._at for frame in frames)
        if due:
            self._in_submit()
        self.batches.append(len(frames))
        self._pending += 1
        self.most_pending = max(self.most_pending, self._pending)

        def collect() -> list[Result]:
            if due:
                self._in_collect()
            self._pending -= 1
            return [Result(frame, no_detections(frame.size, ("thing",))) for frame in frames]

        return collect


def paint(result: Result, fps: float) -> Result:
    """Draws by adding one to every pixel."""
    return dataclasses.replace(result, annotated=result.frame.image + 1)


class Sink:
    """Keeps what it gets; `fault` runs in the method that `where` names (in `write` at frame `at`)."""

    def __init__(self, where: str = "", fault: Fault = nothing, at: int = 0) -> None:
        self.info: SourceInfo | None = None
        self.results: list[Result] = []
        self.closed: list[bool] = []
        self.written = threading.Event()
        self._where, self._fault, self._at = where, fault, at

    def open(self, info: SourceInfo) -> None:
        if self._where == "open":
            self._fault()
        self.info = info

    def write(self, result: Result) -> None:
        if self._where == "write" and result.frame.index == self._at:
            self._fault()
        self.results.append(result)
        self.written.set()

    def close(self, complete: bool) -> SinkReport:
        self.closed.append(complete)
        if self._where == "close":
            self._fault()
        return SinkReport(None, f"{len(self.results)} results", whole=complete)

    @property
    def indices(self) -> list[int]:
        return [result.frame.index for result in self.results]
