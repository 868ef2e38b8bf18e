"""One run of the pipeline: capture, inference, overlay and sinks, each in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NoReturn

from model.errors import SourceError
from pipeline import stages
from pipeline.detectors.base import Detector
from pipeline.frame import Frame, Result
from pipeline.frame_queue import FrameQueue
from pipeline.metrics.run import Metrics, MetricsSnapshot
from pipeline.sinks.base import Sink, SinkReport
from pipeline.sources.base import Source, SourceInfo, is_cut
from pipeline.stages import Delivery, Paint, RunOptions
from pipeline.worker import WorkerGroup

OpenSource = Callable[[threading.Event], Source]


class RunState(Enum):
    """The state of a run. The last three are final."""

    NEW = "new"
    RUNNING = "running"
    STOPPING = "stopping"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True)
class RunReport:
    """The outcome of a run.

    frames:   that reached the sinks
    sinks:    what each sink that was opened has made
    warnings: what went wrong with the source without ending it
    error:    the first one, which ended the run; None when there was none
    cut:      whether the source was cut off: it gave all that came of it, and more should have come
    """

    state: RunState
    info: SourceInfo | None
    frames: int
    metrics: MetricsSnapshot
    sinks: tuple[SinkReport, ...]
    warnings: tuple[str, ...]
    error: BaseException | None
    cut: bool = False


def _over(*arguments: object) -> NoReturn:
    raise AssertionError("the run is over")


class Runner:
    """Runs once. All parts are given; `open_source` is called by the thread that reads, with an event that is
    set when the opening is to be given up.

    A file loses no frame; of a live source the newest frame is taken, and those that are dropped for it are
    counted. Whatever ends a run early (`stop`, from any thread, or an error in any stage) ends all threads,
    and closes the sinks so that what was written can be played; so does the end of a source that was cut off.
    """

    def __init__(
        self,
        open_source: OpenSource,
        detector: Detector,
        paint: Paint,
        sinks: Sequence[Sink],
        metrics: Metrics,
        options: RunOptions | None = None,
    ) -> None:
        self._open_source = open_source
        self._detector = detector
        self._paint = paint
        self._metrics = metrics
        self._options = options or RunOptions()
        # enough for the batches that are about to go on their way, or they are never whole in time
        ahead = max(self._options.room, self._options.batch * detector.slots)
        self._frames: FrameQueue[Frame] = FrameQueue("captured", ahead)
        self._found: FrameQueue[Result] = FrameQueue("detected", self._options.room)
        self._painted: FrameQueue[Result] = FrameQueue("drawn", self._options.room)
        self._delivery = Delivery(sinks, metrics)
        self._workers = WorkerGroup("livemask", on_error=self._halt)
        self._lock = threading.Lock()
        self._state = RunState.NEW
        self._halted = threading.Event()
        self._opening_given_up = threading.Event()  # the source's own, once it has it
        self._source: Source | None = None
        self._info: SourceInfo | None = None
        self._warnings: tuple[str, ...] = ()
        self._cut = False

    @property
    def state(self) -> RunState:
        """The run's present state."""
        with self._lock:
            return self._state

    @property
    def info(self) -> SourceInfo | None:
        """The source's info; None until it is open."""
        with self._lock:
            return self._info

    def start(self) -> None:
        """Start the threads and return."""
        with self._lock:
            if self._state is not RunState.NEW:
                raise RuntimeError(f"a run starts once; this one is {self._state.value}")
            self._state = RunState.RUNNING
        self._workers.start(
            capture=self._capture,
            inference=lambda: stages.infer(
                self._detector, self._frames, self._found, self._metrics, self._batch
            ),
            overlay=lambda: stages.overlay(self._paint, self._found, self._painted, self._metrics),
            sinks=lambda: self._delivery.run(self._painted, self._known_info, self._is_complete),
        )

    def stop(self) -> None:
        """End the run early: frames on their way are given up. Returns at once; `join` waits."""
        with self._lock:
            if self._state is not RunState.RUNNING or self._delivery.ended:
                return
            self._state = RunState.STOPPING
        self._halt()

    def join(self, timeout: float | None = None) -> RunReport | None:
        """The report once all threads have ended; None when that takes longer than `timeout` seconds."""
        if not self._workers.join(timeout):
            return None
        self._release()
        with self._lock:
            self._state = self._final_state()
            return RunReport(
                self._state,
                self._info,
                self._delivery.delivered,
                self._metrics.snapshot(),
                tuple(self._delivery.reports),
                self._warnings,
                self._workers.error,
                self._cut and self._state is RunState.FINISHED,
            )

    @property
    def alive(self) -> tuple[str, ...]:
        """The names of the threads that have not ended."""
        return self._workers.alive

    def _capture(self) -> None:
        try:
            source = self._open_source(self._opening_given_up)
        except SourceError:
            if self._halted.is_set():  # it was told to give up, and says that it did
                return
            raise
        try:
            with self._lock:
                self._source = source
                self._info = source.info
            if not self._halted.is_set():
                stages.capture(source, self._frames, self._metrics, self._options)
        finally:
            with self._lock:
                self._source, self._cut = None, is_cut(source)
            source.close()
            with self._lock:
                self._warnings = source.warnings

    def _release(self) -> None:
        """Release references to the parts of the run once it is over.

        They may hold this run in turn, and such a circle stays, with pictures in it, until Python happens to
        look for circles.
        """
        self._open_source = self._paint = _over
        self._delivery.release()

    def _halt(self) -> None:
        """Make every thread end, wherever it waits."""
        with self._lock:
            self._halted.set()
            self._opening_given_up.set()
            if self._source is not None:
                self._source.interrupt()
        for queue in (self._frames, self._found, self._painted):
            queue.abort()

    def _known_info(self) -> SourceInfo:
        """Return the source's info, once a frame of it is there."""
        info = self.info
        assert info is not None
        return info

    def _batch(self) -> int:
        return 1 if self._known_info().live else self._options.batch

    def _is_complete(self) -> bool:
        """Return True if the sinks have every frame; a live source ends when it is stopped."""
        with self._lock:
            live = self._info is not None and self._info.live
            if self._halted.is_set():
                return live and self._workers.error is None
            return not (self._cut if self._source is None else is_cut(self._source))

    def _final_state(self) -> RunState:
        if self._workers.error is not None:
            return RunState.FAILED
        return RunState.FINISHED if self._state in (RunState.RUNNING, RunState.FINISHED) else RunState.STOPPED
