"""Videos, cameras and streams: each through a pipeline of its own, all through one network."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from app.annotate_photos import is_lack_of_memory
from app.annotate_report import Report
from app.arguments import predictor_options
from app.drawing import overlay_style
from app.progress import progress_bar
from app.threads import share_cores, streams_for_files
from app.timings import progress_text, table
from model.errors import LiveMaskError, SinkError, SourceError
from model.predictor import Predictor
from pipeline.builder import build_runner
from pipeline.metrics import Metrics
from pipeline.runner import OpenSource, Runner, RunReport, RunState
from pipeline.sinks.base import Sink
from pipeline.sources import SourceOptions, open_source
from pipeline.sources.base import Source
from pipeline.sources.sequence import open_images
from pipeline.stages import RunOptions
from pipeline.trace import TraceWriter

if TYPE_CHECKING:
    from app.outputs import VideoJob

TICK = 0.2  # seconds between two looks at a run
PATIENCE = 5.0  # seconds that threads have to end once they were told to


def annotate_videos(jobs: Sequence[VideoJob], args: argparse.Namespace, report: Report) -> None:
    """Annotate every video; one that fails is told in the report, and the others are done."""
    predictors = _Predictors(args)
    alone = len(jobs) == 1
    for job in jobs:
        predictor = predictors.fit_for(job)
        try:
            done, interrupted = _annotate(job, predictor, args)
        except LiveMaskError as error:
            report.failures.append(_named(job, error))
            continue
        _tell(job, done, args, alone, report)
        if interrupted and not (alone and job.source.is_live):  # how else would a camera's video end?
            raise KeyboardInterrupt


class _Predictors:
    """The network, loaded once for all files and once for all that is live."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._loaded: dict[bool, Predictor] = {}

    def fit_for(self, job: VideoJob) -> Predictor:
        """Files want many frames a second, live sources every single frame soon."""
        live = job.source.is_live
        if live not in self._loaded:
            self._loaded[live] = self._load(live)
        return self._loaded[live]

    def _load(self, live: bool) -> Predictor:
        from model import load_predictor

        args = self._args
        predictor = load_predictor(
            **predictor_options(args),
            crop_masks=not args.no_crop,
            with_masks=not args.no_masks,
            streams=1 if live else streams_for_files(),
            batch=1 if live else args.batch,
        )
        share_cores(predictor)
        if predictor.choice is not None and not args.quiet and not self._loaded:
            print(predictor.choice, file=sys.stderr)
        return predictor


def _annotate(job: VideoJob, predictor: Predictor, args: argparse.Namespace) -> tuple[RunReport, bool]:
    """How the run went, and whether the user ended it. Raises LiveMaskError where it could not even begin."""
    _make_folders(job)
    with _trace(args) as trace:
        metrics = Metrics(trace)
        runner = build_runner(
            _opener(job, args),
            predictor,
            _sinks(job, args),
            overlay_style(args) if job.video or job.frames else None,  # JSON lines need no picture
            show_fps=args.show_fps,
            options=RunOptions(args.batch, args.stride, args.max_frames),
            metrics=metrics,
        )
        runner.start()
        return _watch(runner, metrics, job, args)


def _watch(
    runner: Runner, metrics: Metrics, job: VideoJob, args: argparse.Namespace
) -> tuple[RunReport, bool]:
    """Show the progress until the run ends; Ctrl-C ends it in order."""
    interrupted = False
    with _progress(args) as progress:
        task = progress.add_task(job.name, total=None, status="opening")
        try:
            while (done := runner.join(TICK)) is None:
                _show(progress, task, runner, metrics, args)
        except KeyboardInterrupt:
            interrupted = True
            runner.stop()
            done = runner.join(PATIENCE)
    if done is None:
        stuck = ", ".join(runner.alive)
        raise SourceError(f"{job.name}: did not stop within {PATIENCE:.0f} s; still busy: {stuck}")
    return done, interrupted


def _show(
    progress: Progress, task: TaskID, runner: Runner, metrics: Metrics, args: argparse.Namespace
) -> None:
    snapshot = metrics.snapshot()
    info = runner.info
    total = None
    if info is not None and not info.live and info.frame_count:
        total = min(-(-info.frame_count // args.stride), args.max_frames or info.frame_count)
    progress.update(task, completed=snapshot.frames, total=total, status=progress_text(snapshot))


def _progress(args: argparse.Namespace) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.completed}"),
        TextColumn("{task.fields[status]}"),
        TimeRemainingColumn(),
    )
    return progress_bar(*columns, quiet=args.quiet)


@contextmanager
def _trace(args: argparse.Namespace) -> Iterator[TraceWriter | None]:
    writer = None if args.trace is None else TraceWriter(args.trace)
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
            return open_images(source.images, Fraction(args.frame_rate))
        return open_source(source.text, source.kind, SourceOptions(), interrupted)

    return open_it


def _sinks(job: VideoJob, args: argparse.Namespace) -> list[Sink]:
    """A sink for each output, but for those that exist and are to stay."""
    from pipeline.sinks.image_files import ImagesSink
    from pipeline.sinks.jsonl import JsonLinesSink
    from pipeline.sinks.video import VideoSink

    def wanted(path: Path | None) -> bool:
        return path is not None and not (args.skip_existing and path.exists())

    sinks: list[Sink] = []
    if wanted(job.video):
        sinks.append(VideoSink(job.video, codec=args.codec, crf=args.crf, overwrite=args.overwrite))
    if wanted(job.frames):
        sinks.append(ImagesSink(job.frames, overwrite=args.overwrite))
    if wanted(job.record):
        sinks.append(JsonLinesSink(job.record, overwrite=args.overwrite))
    return sinks


def _tell(job: VideoJob, done: RunReport, args: argparse.Namespace, alone: bool, report: Report) -> None:
    """What was made goes to the standard output, what is to be known beside it to the error output."""
    for warning in done.warnings:
        print(f"note: {job.name}: {warning}", file=sys.stderr)
    for made in done.sinks:
        if made.path is not None:
            state = "" if made.whole else " (not whole)"
            print(f"{made.path}{state}: {made.summary}")
        report.failures.extend(f"{made.path}: {problem}" for problem in made.problems)
    if not args.quiet and (alone or args.verbose) and done.frames:
        print(table(done.metrics), file=sys.stderr)
    if done.error is not None:
        report.failures.append(_named(job, done.error))
    elif done.state is RunState.FINISHED or (done.info is not None and done.info.live):
        report.annotated += 1


def _named(job: VideoJob, error: BaseException) -> str:
    """The error as a line that says which input it is about; what is nobody's fault but ours is raised."""
    if is_lack_of_memory(error):
        return f"{job.name}: not enough memory for frames of this size"
    if not isinstance(error, LiveMaskError):
        raise error
    text = str(error)
    return text if job.name in text else f"{job.name}: {text}"
