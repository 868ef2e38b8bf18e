"""Videos, cameras and streams: each through a pipeline of its own, all through one network."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from app.annotate.options import AnnotateOptions
from app.annotate.plan import VideoJob
from app.annotate.report import Report
from app.predictors import Predictors
from app.runs import PATIENCE, named, opener, watch
from app.terminal import timings_text
from app.threads import streams_for_files
from model.errors import LiveMaskError, SinkError, StreamLostError, is_out_of_memory
from pipeline.builder import build_runner
from pipeline.metrics.run import Metrics
from pipeline.metrics.trace import TraceWriter
from pipeline.overlay.draw import style_of
from pipeline.runner import OpenSource, Runner, RunReport, RunState
from pipeline.sinks.base import Sink
from pipeline.sinks.image_files import ImagesSink
from pipeline.sinks.jsonl import JsonLinesSink
from pipeline.sinks.tracks import track_sink
from pipeline.sinks.video import VideoSink
from pipeline.stages import RunOptions

if TYPE_CHECKING:
    from model.instance_predictor import LoadedPredictor

ROOM = 4  # results that may wait behind each stage; a live picture would grow old there

BuildRun = Callable[[OpenSource, RunOptions, Metrics], Runner]
Prepare = Callable[[VideoJob], BuildRun]
"""Loads what a job needs, and returns what builds its pipeline."""


def annotate_videos(
    jobs: Sequence[VideoJob], prepare: Prepare, options: AnnotateOptions, report: Report
) -> None:
    """Annotate every video; one that fails is told in the report, and the others are done.

    prepare: `one_by_one`, or what makes something else of the frames. What it raises ends the command. An
    error that is nobody's fault but the program's own is raised again once they are.
    """
    bugs: list[Exception] = []
    for job in jobs:
        build = prepare(job)
        with failures_told(job, report, bugs):
            _annotate(job, build, options, report, alone=len(jobs) == 1)
    if bugs:
        raise bugs[0]


@contextmanager
def failures_told(job: VideoJob, report: Report, bugs: list[Exception]) -> Iterator[None]:
    """Put what is raised for a job into the report; the program's own faults into `bugs`, too."""
    try:
        yield
    except StreamLostError as error:
        report.cut.append(named(job.name, error))
    except Exception as error:
        report.failures.append(named(job.name, error))
        if not isinstance(error, (LiveMaskError, OSError)) and not is_out_of_memory(error):
            bugs.append(error)


def one_by_one(predictors: Predictors, options: AnnotateOptions) -> Prepare:
    """Return what draws the instances of each frame on it, or tells them as data."""

    def prepare(job: VideoJob) -> BuildRun:
        streams, batch = (1, 1) if job.source.is_live else (streams_for_files(), options.video.batch)
        return by_predictor(predictors.get(streams, batch), job, options)

    return prepare


def by_predictor(predictor: LoadedPredictor, job: VideoJob, options: AnnotateOptions) -> BuildRun:
    """Return what builds a job's pipeline with this predictor."""
    display = options.drawing

    def build(open_it: OpenSource, run: RunOptions, metrics: Metrics) -> Runner:
        return build_runner(
            open_it,
            predictor,
            sinks_of(job, options),
            style_of(display) if job.video or job.frames else None,  # JSON lines need no picture
            show_fps=display.show_fps,
            options=run,
            metrics=metrics,
            follow=options.follow,
        )

    return build


def _annotate(job: VideoJob, build: BuildRun, options: AnnotateOptions, report: Report, alone: bool) -> None:
    """Raises what ended the run early; KeyboardInterrupt when the user did."""
    video, quiet = options.video, options.output.quiet
    with _trace(video.trace, options.output.overwrite) as trace:
        metrics = Metrics(trace)
        runner = built(job, build, options, metrics)
        done, interrupted = watch(runner, metrics, job.name, quiet, video.stride, video.max_frames)
        if done is None:
            report.failures.append(stuck(job, runner))
            raise KeyboardInterrupt
        tell(job, done, options, report, alone)
        if interrupted and not (alone and has_no_end(done)):
            raise KeyboardInterrupt


def built(job: VideoJob, build: BuildRun, options: AnnotateOptions, metrics: Metrics) -> Runner:
    """Return a job's pipeline, ready to start; its folders are made."""
    video = options.video
    _make_folders(job)
    room = 1 if job.source.is_live else ROOM
    run = RunOptions(video.batch, video.stride, video.max_frames, room=room)
    return build(opener(job.source, video.frame_rate, video.batch), run, metrics)


def stuck(job: VideoJob, runner: Runner) -> str:
    """Return the message about a run whose threads do not end."""
    return f"{job.name}: did not stop in {PATIENCE:.0f} s; still busy: {', '.join(runner.alive)}"


def tell(job: VideoJob, done: RunReport, options: AnnotateOptions, report: Report, alone: bool) -> None:
    """Print and count what a run has made. Raises what ended it early."""
    _tell_made(job, done)
    if not options.output.quiet and (alone or options.output.verbose) and done.frames:
        print(timings_text(done.metrics), file=sys.stderr)
    _count(job, done, report)
    if done.error is not None:
        raise done.error


def has_no_end(done: RunReport) -> bool:
    """Return whether a run gave what it could, and only its user could end it."""
    return done.info is not None and done.info.live and done.frames > 0


@contextmanager
def _trace(path: Path | None, overwrite: bool) -> Iterator[TraceWriter | None]:
    writer = None if path is None else TraceWriter(path, overwrite=overwrite)
    try:
        yield writer
    finally:
        if writer is not None:
            writer.close()


def _make_folders(job: VideoJob) -> None:
    for path in job.outputs:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(f"{path.parent}: cannot be made a folder: {error.strerror or error}") from error


def sinks_of(job: VideoJob, options: AnnotateOptions) -> list[Sink]:
    """Return a sink for each output, but for those that exist and are to stay."""
    video, overwrite = options.video, options.output.overwrite

    def stays(path: Path) -> bool:
        return options.output.skip_existing and path.exists()

    sinks: list[Sink] = []
    if job.video is not None and not stays(job.video):
        sinks.append(VideoSink(job.video, video.codec, video.crf, overwrite=overwrite, stride=video.stride))
    if job.frames is not None and not stays(job.frames):
        sinks.append(ImagesSink(job.frames, overwrite=overwrite))
    if job.record is not None and not stays(job.record):
        sinks.append(JsonLinesSink(job.record, overwrite=overwrite))
    sinks.extend(track_sink(name, path, overwrite) for name, path in job.tracks if not stays(path))
    return sinks


def _tell_made(job: VideoJob, done: RunReport) -> None:
    """Print what was made to the standard output, what is to be known beside it to the error output."""
    for warning in done.warnings:
        print(f"note: {job.name}: {warning}", file=sys.stderr)
    for made in done.sinks:
        if made.path is not None:
            state = "" if made.whole else " (not whole)"
            print(f"{made.path}{state}: {made.summary}")
        for problem in made.problems:
            print(f"note: {made.path}: {problem}", file=sys.stderr)


def _count(job: VideoJob, done: RunReport, report: Report) -> None:
    live = done.info is not None and done.info.live
    if done.cut:
        report.cut.append(f"{job.name}: more of it should have come; the part that did is annotated")
    elif done.error is None and done.frames and (done.state is RunState.FINISHED or live):
        if all(made.whole or made.path is None for made in done.sinks):
            report.annotated += 1
        else:
            report.failures.append(f"{job.name}: what was written is not as it should be")
