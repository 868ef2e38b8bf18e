"""The stages of a run, one a thread: capture, infer, overlay and deliver. Each ends when its queues do."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import monotonic

from pipeline.detectors.base import Detector, Pending
from pipeline.frame import Frame, Result
from pipeline.frame_queue import FrameQueue, QueueClosed
from pipeline.metrics.run import Kind, Metrics
from pipeline.sinks.base import Sink, SinkReport
from pipeline.sources.base import Source, SourceInfo

Paint = Callable[[Result, float], Result]
"""Draws a result on its frame; the number is the current frame rate."""


@dataclass(frozen=True)
class RunOptions:
    """Options of a run.

    batch:      frames that go through the network together; a live source never waits to fill one
    stride:     every `stride`-th frame is taken; the others are left out
    max_frames: how many are taken at most, dropped ones not counted; None for all
    room:       results that may wait before drawing, and again before the sinks: what a few slow frames
                are made up with, and what a live picture grows old in
    """

    batch: int = 1
    stride: int = 1
    max_frames: int | None = None
    room: int = 4


def capture(source: Source, frames: FrameQueue[Frame], metrics: Metrics, options: RunOptions) -> None:
    """Read frames into the queue until the source ends or the queue is closed; then close the queue.

    A file waits for room; of a live source only the newest frame stays in the queue.
    """
    taken = 0
    following = 0  # the index that the next frame has where none is missing
    with _closing(frames):
        while options.max_frames is None or taken < options.max_frames:
            frame = _read(source, metrics)
            if frame is None:
                return
            # a camera itself drops frames that are not fetched
            metrics.drop("source", frame.index - following)
            following = frame.index + 1
            if frame.index % options.stride:
                continue
            metrics.queue(frames.name, len(frames), frames.capacity)
            if source.info.live:
                dropped = frames.put_newest(frame)
                metrics.drop(frames.name, dropped)
                taken += 1 - dropped
            else:
                with metrics.room("capture", frame.index):
                    frames.put(frame)
                taken += 1


def infer(
    detector: Detector,
    frames: FrameQueue[Frame],
    found: FrameQueue[Result],
    metrics: Metrics,
    batch: Callable[[], int],
) -> None:
    """Detect in every frame, with as many batches on their way as the detector takes.

    batch: how many frames go together, asked once the first frame is here.
    """
    pending: deque[Pending] = deque()
    with _closing(found):
        while True:
            taken = _take(frames, batch, metrics, wait=not pending)
            if taken:
                pending.append(detector.submit(taken))
            elif not pending:
                return
            if not taken or len(pending) == detector.slots:
                for result in pending.popleft()():
                    _pass_on(result, found, "masks", metrics)


def overlay(paint: Paint, found: FrameQueue[Result], painted: FrameQueue[Result], metrics: Metrics) -> None:
    """Draw every result."""
    with _closing(painted):
        for result in _all(found, "overlay", metrics):
            with metrics.work("overlay", result.frame.index):
                drawn = paint(result, metrics.recent_fps())
            _pass_on(drawn, painted, "overlay", metrics)


class Delivery:
    """The last stage: opens the sinks, writes to them, closes them, and keeps what they report."""

    def __init__(self, sinks: Sequence[Sink], metrics: Metrics) -> None:
        self._sinks = sinks
        self._metrics = metrics
        self._opened: list[Sink] = []
        self.delivered = 0
        self.ended = False
        self.reports: list[SinkReport] = []

    def run(
        self, painted: FrameQueue[Result], info: Callable[[], SourceInfo], complete: Callable[[], bool]
    ) -> None:
        """Write every result; `info` and `complete` are asked once the first or the last one is here."""
        try:
            for result in _all(painted, "encode", self._metrics):
                if not self.delivered:
                    self._open(info())
                with self._metrics.work("encode", result.frame.index):
                    for sink in self._sinks:
                        sink.write(result)
                self.delivered += 1
                self._metrics.age(monotonic() - result.frame.captured_at)
                self._metrics.frame_done()
        except BaseException:
            with suppress(Exception):  # a sink that cannot be closed after it failed is no news
                self._close(complete=False)
            raise
        self._close(complete())

    def release(self) -> None:
        """Release the sinks after the run."""
        self._sinks = ()

    def _open(self, info: SourceInfo) -> None:
        for sink in self._sinks:
            self._opened.append(sink)
            sink.open(info)

    def _close(self, complete: bool) -> None:
        """Close every sink that was opened, whatever the others do; the first error is raised at the end."""
        errors = []
        self.ended = True
        while self._opened:
            try:
                self.reports.append(self._opened.pop(0).close(complete))
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]


@contextmanager
def _closing(queue: FrameQueue[Frame] | FrameQueue[Result]) -> Iterator[None]:
    """Close a queue at the end. That the other end is closed already is one way to end."""
    try:
        yield
        queue.close()
    except QueueClosed:
        queue.close()


def _read(source: Source, metrics: Metrics) -> Frame | None:
    begun = monotonic()
    frame = source.read()
    if frame is not None:
        # a live source is mostly waited for
        kind: Kind = "wait" if source.info.live else "work"
        metrics.add_now("capture", frame.index, begun, kind)
    return frame


def _take(frames: FrameQueue[Frame], batch: Callable[[], int], metrics: Metrics, wait: bool) -> list[Frame]:
    """The next batch, of frames of one size; empty when there will be none or, without `wait`, when it is
    not whole yet.
    """
    if not wait and len(frames) < batch():
        return []  # something else is on its way and comes first
    taken: list[Frame] = []
    with suppress(QueueClosed):
        begun = monotonic()
        first = frames.get()
        taken.append(first)
        while len(taken) < batch() and (frame := frames.get_if(lambda other: other.size == first.size)):
            taken.append(frame)
        metrics.add_now("prepare", taken[0].index, begun, "wait")
    return taken


def _all(queue: FrameQueue[Result], stage: str, metrics: Metrics) -> Iterator[Result]:
    """Yield the results from the queue, until it is closed and empty."""
    with suppress(QueueClosed):
        while True:
            begun = monotonic()
            result = queue.get()
            metrics.add_now(stage, result.frame.index, begun, "wait")
            yield result


def _pass_on(result: Result, queue: FrameQueue[Result], stage: str, metrics: Metrics) -> None:
    metrics.queue(queue.name, len(queue), queue.capacity)
    with metrics.room(stage, result.frame.index):
        queue.put(result)
