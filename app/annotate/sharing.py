"""Several videos, cameras and streams at a time, in one process and through one network."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from time import monotonic, sleep
from typing import NamedTuple

from rich.progress import Progress, TaskID

from app.annotate.options import AnnotateOptions
from app.annotate.plan import VideoJob
from app.annotate.report import Report
from app.annotate.videos import BuildRun, Prepare, built, by_predictor, failures_told, has_no_end, stuck, tell
from app.predictors import Predictors
from app.runs import PATIENCE, TICK, total_frames
from app.terminal import frames_bar
from app.threads import streams_for_files
from model.errors import ConfigError
from model.host.hosting import hosted
from model.host.predictor import HostPredictor
from model.predictor import Predictor
from pipeline.detectors.engine_pool import EnginePool
from pipeline.metrics.performance import progress_text
from pipeline.metrics.run import Metrics
from pipeline.runner import Runner, RunReport

FILES_AT_ONCE = 4
"""Number of files that are worked on at a time; cameras and streams all are."""


class _Run(NamedTuple):
    job: VideoJob
    runner: Runner
    metrics: Metrics
    task: TaskID


def annotate_shared(
    jobs: Sequence[VideoJob], predictors: Predictors, options: AnnotateOptions, report: Report
) -> None:
    """Annotate videos side by side; one that fails or ends costs the others nothing.

    Raises ConfigError where sources cannot share the network, and KeyboardInterrupt when the user ends it
    before all is done. An error that is nobody's fault but the program's own is raised once the rest is done.
    """
    one_each = replace(options, video=replace(options.video, batch=1))
    predictor = _sharable(predictors, live=all(job.source.is_live for job in jobs))
    together = options.video.batch
    if predictor.device.type != "cpu":
        together = max(together, len(jobs))  # a CPU works on several batches of one frame as fast
    with EnginePool(predictor.engine, together) as pool:

        def prepare(job: VideoJob) -> BuildRun:
            seat = pool.seat(slots=1 if job.source.is_live else 2)
            return by_predictor(predictor.with_engine(seat), job, one_each)

        _SideBySide(jobs, prepare, one_each, report).run()


def _sharable(predictors: Predictors, live: bool) -> HostPredictor:
    predictor = predictors.get(1 if live else streams_for_files())
    if not isinstance(predictor, Predictor):
        raise ConfigError("--share is for networks of YOLACT's kind; these weights propose objects")
    host = hosted(predictor)
    if host.sharpener is not None:
        raise ConfigError("--share: masks can be sharpened for one source at a time; leave --sharpen out")
    return host


class _SideBySide:
    """The runs of all jobs, at most `FILES_AT_ONCE` of them of files."""

    def __init__(
        self, jobs: Sequence[VideoJob], prepare: Prepare, options: AnnotateOptions, report: Report
    ) -> None:
        self._waiting = deque(sorted(jobs, key=lambda job: not job.source.is_live))  # live ones at once
        self._prepare = prepare
        self._options = options
        self._report = report
        self._running: list[_Run] = []
        self._bugs: list[Exception] = []

    def run(self) -> None:
        """Work until all is done."""
        with frames_bar(self._options.output.quiet) as bars:
            try:
                while self._waiting or self._running:
                    self._start(bars)
                    sleep(TICK)
                    self._look(bars)
            except KeyboardInterrupt:
                if not self._end():
                    raise
        if self._bugs:
            raise self._bugs[0]

    def _start(self, bars: Progress) -> None:
        while self._waiting and self._has_room(self._waiting[0]):
            job = self._waiting.popleft()
            with failures_told(job, self._report, self._bugs):
                metrics = Metrics()
                runner = built(job, self._prepare(job), self._options, metrics)
                runner.start()
                task = bars.add_task(job.name, total=None, status="opening")
                self._running.append(_Run(job, runner, metrics, task))

    def _has_room(self, job: VideoJob) -> bool:
        files = sum(not run.job.source.is_live for run in self._running)
        return job.source.is_live or files < FILES_AT_ONCE

    def _look(self, bars: Progress) -> None:
        """Show how far each run is; tell and forget those that have ended."""
        video = self._options.video
        for run in list(self._running):
            done = run.runner.join(0)
            if done is not None:
                bars.remove_task(run.task)
                self._running.remove(run)
                self._tell(run, done)
                continue
            snapshot = run.metrics.snapshot()
            total = total_frames(run.runner.info, video.stride, video.max_frames)
            bars.update(run.task, completed=snapshot.frames, total=total, status=progress_text(snapshot))

    def _end(self) -> bool:
        """End all runs; returns whether the user has lost nothing: all had no end, and gave frames."""
        whole = not self._waiting
        for run in self._running:
            run.runner.stop()
        deadline = monotonic() + PATIENCE
        for run in self._running:
            done = run.runner.join(max(deadline - monotonic(), 0))
            if done is None:
                self._report.failures.append(stuck(run.job, run.runner))
                whole = False
                continue
            whole = whole and has_no_end(done)
            self._tell(run, done)
        return whole

    def _tell(self, run: _Run, done: RunReport) -> None:
        with failures_told(run.job, self._report, self._bugs):
            tell(run.job, done, self._options, self._report, alone=False)
