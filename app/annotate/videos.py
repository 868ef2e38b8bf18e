"""Videos, cameras and streams: each through a pipeline of its own, all through one network."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from rich.progress import Progress, TaskID

from app.annotate.report import Report
from app.drawing import overlay_style
from app.options import follow_options
from app.progress import frames_bar
from app.threads import streams_for_files
from app.timings import table
from model.batch_memory import check_frames
from model.errors import ConfigError, LiveMaskError, SinkError, StreamLostError, is_out_of_memory
from pipeline.builder import build_runner
from pipeline.metrics.performance import progress_text
from pipeline.metrics.run import Metrics
from pipeline.metrics.trace import TraceWriter
from pipeline.runner import OpenSource, Runner, RunReport, RunState
from pipeline.sinks.base import Sink
from pipeline.sources import SourceOptions, open_source
from pipeline.sources.base import Source
from pipeline.sources.sequence import FRAME_RATE, open_images
from pipeline.stages import RunOptions

if TYPE_CHECKING:
    from app.annotate.plan import VideoJob
    from app.annotate.predictors import Predictors

TICK = 0.2  # seconds between two looks at a run
PATIENCE = 5.0  # seconds that threads have to end once they were told to
ROOM = 4  # results that may wait behind each stage; a live picture would grow old there


BuildRun = Callable[[OpenSource, RunOptions, Metrics], Runner]
Prepare = Callable[["VideoJob"], BuildRun]
"""Loads what a job needs, and returns what builds its pipeline."""


def annotate_videos(
    jobs: Sequence[VideoJob], prepare: Prepare, args: argparse.Namespace, report: Report
) -> None:
    """Annotate every video; one that fails is told in the report, and the others are done.

    prepare: `one_by_one`, or what makes something else of the frames. What it raises ends the command. An
    error that is nobody's fault but the program's own is raised again once they are.
    """
    bugs: list[Exception] = []
    for job in jobs:
        build = prepare(job)
        try:
            _annotate(job, build, args, report, alone=len(jobs) == 1)
        except StreamLostError as error:
            report.cut.append(_named(job, error))
        except Exception as error:
            report.failures.append(_named(job, error))
            if not isinstance(error, (LiveMaskError, OSError)) and not is_out_of_memory(error):
                bugs.append(error)
    if bugs:
        raise bugs[0]


def one_by_one(predictors: Predictors, args: argparse.Namespace) -> Prepare:
    """Each frame with its instances drawn on it, or told as data."""

    def prepare(job: VideoJob) -> BuildRun:
        streams, batch = (1, 1) if job.source.is_live else (streams_for_files(), args.batch)
        predictor = predictors.get(streams, batch)

        def build(open_it: OpenSource, options: RunOptions, metrics: Metrics) -> Runner:
            return build_runner(
                open_it,
                predictor,
                sinks_of(job, args),
                overlay_style(args) if job.video or job.frames else None,  # JSON lines need no picture
                show_fps=args.show_fps,
                options=options,
                metrics=metrics,
                follow=follow_options(args),
            )

        return build

    return prepare


def _annotate(job: VideoJob, build: BuildRun, args: argparse.Namespace, report: Report, alone: bool) -> None:
    """Raises what ended the run early; KeyboardInterrupt when the user did."""
    _make_folders(job)
    with _trace(args) as trace:
        metrics = Metrics(trace)
        room = 1 if job.source.is_live else ROOM
        options = RunOptions(args.batch, args.stride, args.max_frames, room=room)
        runner = build(_opener(job, args), options, metrics)
        done, interrupted = _watch(runner, metrics, job, args)
        if done is None:
            stuck = ", ".join(runner.alive)
            report.failures.append(f"{job.name}: did not stop in {PATIENCE:.0f} s; still busy: {stuck}")
            raise KeyboardInterrupt
        _tell(job, done, args, alone, report)
        if done.error is not None:
            raise done.error
        if interrupted and not (alone and _has_no_end(done)):
            raise KeyboardInterrupt


def _has_no_end(done: RunReport) -> bool:
    """Whether a run gave what it could, and only its user could end it."""
    return done.info is not None and done.info.live and done.frames > 0


def _watch(
    runner: Runner, metrics: Metrics, job: VideoJob, args: argparse.Namespace
) -> tuple[RunReport | None, bool]:
    """Show the progress until the run ends; Ctrl-C ends it in order. None when it does not end even then."""
    with frames_bar(args.quiet) as progress:
        task = progress.add_task(job.name, total=None, status="opening")
        try:
            runner.start()
            while (done := runner.join(TICK)) is None:
                _show(progress, task, runner, metrics, args)
        except KeyboardInterrupt:
            runner.stop()
            return runner.join(PATIENCE), True
    return done, False


def _show(
    progress: Progress, task: TaskID, runner: Runner, metrics: Metrics, args: argparse.Namespace
) -> None:
    snapshot = metrics.snapshot()
    info = runner.info
    total = None
    if info is not None and not info.live and info.frame_count:
        total = min(-(-info.frame_count // args.stride), args.max_frames or info.frame_count)
    progress.update(task, completed=snapshot.frames, total=total, status=progress_text(snapshot))


@contextmanager
def _trace(args: argparse.Namespace) -> Iterator[TraceWriter | None]:
    writer = None if args.trace is None else TraceWriter(args.trace, overwrite=args.overwrite)
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


def _opener(job: VideoJob, args: argparse.Namespace) -> OpenSource:
    source = job.source

    def open_it(interrupted: Event) -> Source:
        if source.kind == "images":
            return open_images(source.images, Fraction(args.frame_rate or FRAME_RATE))
        rate = Fraction(args.frame_rate) if args.frame_rate else None
        opened = open_source(source.text, source.kind, replace(SourceOptions(), bare_rate=rate), interrupted)
        try:
            check_frames(
                1 if opened.info.live else args.batch,
                streams_for_files(),
                (opened.info.height, opened.info.width),
            )
        except ConfigError:
            opened.close()
            raise
        return opened

    return open_it


def sinks_of(job: VideoJob, args: argparse.Namespace) -> list[Sink]:
    """A sink for each output, but for those that exist and are to stay."""
    from pipeline.sinks.image_files import ImagesSink
    from pipeline.sinks.jsonl import JsonLinesSink
    from pipeline.sinks.tracks import track_sink
    from pipeline.sinks.video import VideoSink

    def wanted(path: Path | None) -> bool:
        return path is not None and not (args.skip_existing and path.exists())

    sinks: list[Sink] = []
    if wanted(job.video):
        video = VideoSink(
            job.video, codec=args.codec, crf=args.crf, overwrite=args.overwrite, stride=args.stride
        )
        sinks.append(video)
    if wanted(job.frames):
        sinks.append(ImagesSink(job.frames, overwrite=args.overwrite))
    if wanted(job.record):
        sinks.append(JsonLinesSink(job.record, overwrite=args.overwrite))
    sinks.extend(track_sink(name, path, args.overwrite) for name, path in job.tracks if wanted(path))
    return sinks


def _tell(job: VideoJob, done: RunReport, args: argparse.Namespace, alone: bool, report: Report) -> None:
    """What was made goes to the standard output, what is to be known beside it to the error output."""
    for warning in done.warnings:
        print(f"note: {job.name}: {warning}", file=sys.stderr)
    for made in done.sinks:
        if made.path is not None:
            state = "" if made.whole else " (not whole)"
            print(f"{made.path}{state}: {made.summary}")
        for problem in made.problems:
            print(f"note: {made.path}: {problem}", file=sys.stderr)
    if not args.quiet and (alone or args.verbose) and done.frames:
        print(table(done.metrics), file=sys.stderr)
    live = done.info is not None and done.info.live
    if done.cut:
        report.cut.append(f"{job.name}: more of it should have come; the part that did is annotated")
    elif done.error is None and done.frames and (done.state is RunState.FINISHED or live):
        if all(made.whole or made.path is None for made in done.sinks):
            report.annotated += 1
        else:
            report.failures.append(f"{job.name}: what was written is not as it should be")


def _named(job: VideoJob, error: Exception) -> str:
    """The error as a line that says which input it is about."""
    if is_out_of_memory(error):
        return f"{job.name}: not enough memory for frames of this size"
    if isinstance(error, OSError):
        return f"{job.name}: {error.strerror or error}"
    text = str(error)
    if not isinstance(error, LiveMaskError):
        return f"{job.name}: {type(error).__name__}: {text}"
    return text if text.startswith(job.name) else f"{job.name}: {text}"
