"""Measurements of a run: work and waiting of each stage, queues, drops, ages, frame rate.

All times are seconds of `time.monotonic()`. Memory does not grow with the length of a run.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from types import MappingProxyType, TracebackType
from typing import Literal, Protocol

from pipeline.metrics.histogram import Distribution, Histogram

STAGES = ("capture", "flow", "prepare", "forward", "nms", "track", "masks", "overlay", "encode")
"""The stages that a frame passes, in their order.

"track" only where instances are followed; "flow" only with key frames, which alone pass "prepare" to "track".
"""

Kind = Literal["work", "wait", "room"]
"""Kinds of a stage's time: it works, waits for a frame, or waits for room in the queue after it.

To wait for a live source's next frame is capture's "wait"; to read a file is its work.
"""

RECENT = 2.0  # seconds that `recent_fps` looks back
_MOST_RECENT = 512  # frames that it remembers at most


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one stage's time.

    frame:  index of the frame that it was spent on; of a batch one span a frame
    begin:  seconds of `time.monotonic()`, like `end`
    thread: who spent it; "" for the thread that reports it. Spans of one name must not overlap: what runs
            beside the threads (an engine's own, a GPU's stream) has a name of its own
    """

    stage: str
    frame: int
    begin: float
    end: float
    kind: Kind = "work"
    thread: str = ""


class Trace(Protocol):
    """Takes every single event, as `pipeline.metrics.trace` does. Never raises."""

    def span(self, span: Span) -> None:
        """A stretch of a stage's time; `thread` is never ""."""

    def queue(self, name: str, depth: int) -> None:
        """Report the present number of items in a queue."""

    def drop(self, name: str, count: int) -> None:
        """Frames that were dropped now."""


@dataclass(frozen=True)
class StageStats:
    """One stage so far, in seconds.

    work:    one duration a frame
    waits:   how often it waited for a frame, for `waited` seconds in all
    room:    seconds in which it waited for room in the queue after it
    threads: seconds of work by the name of the thread
    """

    stage: str
    work: Distribution
    waits: int
    waited: float
    room: float
    threads: Mapping[str, float]


@dataclass(frozen=True)
class QueueStats:
    """One queue, as it was found each time that something was put into it, and at last."""

    name: str
    capacity: int
    last: int
    mean: float
    max: int


@dataclass(frozen=True)
class MetricsSnapshot:
    """Measurements of a run up to one moment.

    stages:     those that did anything, in the order of `STAGES`
    drops:      frames dropped, by the name of the queue
    ages:       seconds from a frame's capture to its delivery
    frames:     that were delivered
    seconds:    from the first span's begin to the last event
    fps:        frames delivered a second over the whole run; 0 before the first
    recent_fps: the same over the last two seconds
    """

    stages: tuple[StageStats, ...]
    queues: tuple[QueueStats, ...]
    drops: Mapping[str, int]
    ages: Distribution
    frames: int
    seconds: float
    fps: float
    recent_fps: float

    @property
    def dropped(self) -> int:
        """Frames dropped by all queues."""
        return sum(self.drops.values())

    def share(self, seconds: float) -> float:
        """Return the seconds as a share of the run's time; above 1 only for work done in parallel."""
        return seconds / self.seconds if self.seconds else 0.0

    def rate(self, count: int) -> float:
        """Return a count of the whole run as a rate a second."""
        return count / self.seconds if self.seconds else 0.0


class Metrics:
    """Measures one run. Every method may be called from any thread."""

    def __init__(self, trace: Trace | None = None) -> None:
        self._trace = trace
        self._lock = threading.Lock()
        self._stages = {stage: _Stage() for stage in STAGES}
        self._queues: dict[str, _Queue] = {}
        self._drops: dict[str, int] = {}
        self._ages = Histogram()
        self._frames = 0
        self._first: float | None = None
        self._last = 0.0
        self._recent: deque[float] = deque(maxlen=_MOST_RECENT)

    def work(self, stage: str, frame: int) -> Timed:
        """A context in which `stage` works on the frame of that index."""
        return Timed(self, stage, frame, "work")

    def wait(self, stage: str, frame: int) -> Timed:
        """A context in which `stage` waits for a frame, which is going to have that index."""
        return Timed(self, stage, frame, "wait")

    def room(self, stage: str, frame: int) -> Timed:
        """A context in which `stage` waits for room for the frame of that index in the queue after it."""
        return Timed(self, stage, frame, "room")

    def add_now(self, stage: str, frame: int, begin: float, kind: Kind = "work") -> None:
        """A span of this thread that ends now."""
        self.add(Span(stage, frame, begin, monotonic(), kind))

    def add(self, span: Span) -> None:
        """A span measured elsewhere. Raises KeyError for a stage that is not one of `STAGES`."""
        thread = span.thread or threading.current_thread().name
        with self._lock:
            self._stages[span.stage].add(span, thread)
            self._first = span.begin if self._first is None else min(self._first, span.begin)
            self._last = max(self._last, span.end)
        if self._trace is not None:
            self._trace.span(Span(span.stage, span.frame, span.begin, span.end, span.kind, thread))

    def queue(self, name: str, depth: int, capacity: int) -> None:
        """Record the number of items in a queue; called each time that something is put into it."""
        with self._lock:
            self._queues.setdefault(name, _Queue()).add(depth, capacity)
        if self._trace is not None:
            self._trace.queue(name, depth)

    def drop(self, name: str, count: int = 1) -> None:
        """`count` frames (0 does no harm) were dropped from the queue of that name."""
        if not count:
            return
        with self._lock:
            self._drops[name] = self._drops.get(name, 0) + count
        if self._trace is not None:
            self._trace.drop(name, count)

    def age(self, seconds: float) -> None:
        """A result was delivered so many seconds after its frame was captured."""
        with self._lock:
            self._ages.add(seconds)

    def frame_done(self) -> None:
        """One more frame was delivered."""
        now = monotonic()
        with self._lock:
            self._frames += 1
            self._last = max(self._last, now)
            self._recent.append(now)

    def recent_fps(self) -> float:
        """Frames delivered a second over the last two seconds, or since the start of a shorter run."""
        with self._lock:
            return self._recent_fps(monotonic())

    def snapshot(self) -> MetricsSnapshot:
        """Return the measurements so far."""
        with self._lock:
            seconds = 0.0 if self._first is None else self._last - self._first
            return MetricsSnapshot(
                stages=tuple(stage.stats(name) for name, stage in self._stages.items() if stage.used),
                queues=tuple(queue.stats(name) for name, queue in self._queues.items()),
                drops=MappingProxyType(dict(self._drops)),
                ages=self._ages.summary(),
                frames=self._frames,
                seconds=seconds,
                fps=self._frames / seconds if seconds else 0.0,
                recent_fps=self._recent_fps(monotonic()),
            )

    def _recent_fps(self, now: float) -> float:
        start = now - RECENT if self._first is None else max(now - RECENT, self._first)
        recent = [stamp for stamp in self._recent if stamp > start]
        if len(recent) == _MOST_RECENT:  # more than it remembers: they reach back less far
            start = recent[0]
        return len(recent) / (now - start) if now > start else 0.0


class Timed:
    """A context whose duration becomes a span, also when it is left by an exception."""

    __slots__ = ("_begin", "_frame", "_kind", "_metrics", "_stage")

    def __init__(self, metrics: Metrics, stage: str, frame: int, kind: Kind) -> None:
        self._metrics, self._stage, self._frame, self._kind = metrics, stage, frame, kind
        self._begin = 0.0

    def __enter__(self) -> None:
        self._begin = monotonic()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._metrics.add_now(self._stage, self._frame, self._begin, self._kind)


class _Stage:
    """One stage's sums."""

    def __init__(self) -> None:
        self._work = Histogram()
        self._waits = 0
        self._waited = 0.0
        self._room = 0.0
        self._threads: dict[str, float] = {}
        self.used = False

    def add(self, span: Span, thread: str) -> None:
        self.used = True
        seconds = span.end - span.begin
        if span.kind == "work":
            self._work.add(seconds)
            self._threads[thread] = self._threads.get(thread, 0.0) + seconds
        elif span.kind == "wait":
            self._waits += 1
            self._waited += seconds
        else:
            self._room += seconds

    def stats(self, name: str) -> StageStats:
        threads = MappingProxyType(dict(self._threads))
        return StageStats(name, self._work.summary(), self._waits, self._waited, self._room, threads)


class _Queue:
    """One queue's sums."""

    def __init__(self) -> None:
        self._capacity = self._last = self._max = self._total = self._count = 0

    def add(self, depth: int, capacity: int) -> None:
        self._capacity = capacity
        self._last = depth
        self._max = max(self._max, depth)
        self._total += depth
        self._count += 1

    def stats(self, name: str) -> QueueStats:
        return QueueStats(name, self._capacity, self._last, self._total / self._count, self._max)
