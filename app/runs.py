"""The one way that commands run a pipeline: open its source, watch it, and name its error."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from threading import Event

from app.annotate.inputs import VideoInput
from app.terminal import frames_bar
from app.threads import streams_for_files
from model.errors import ConfigError, LiveMaskError, is_out_of_memory
from model.memory import check_frames
from pipeline.metrics.performance import progress_text
from pipeline.metrics.run import Metrics
from pipeline.runner import OpenSource, Runner, RunReport
from pipeline.sources import SourceOptions, open_source
from pipeline.sources.base import Source, SourceInfo
from pipeline.sources.sequence import FRAME_RATE, open_images

TICK = 0.2  # seconds between two looks at a run
PATIENCE = 5.0  # seconds that threads have to end once they were told to


def opener(source: VideoInput, frame_rate: str | None = None, batch: int = 1) -> OpenSource:
    """Return what opens an input for a run, and raises ConfigError where memory cannot hold its batches.

    frame_rate: frames a second where frames have no times; None for what the codec or the project says
    batch:      frames of a file that go through the network together
    """
    rate = None if frame_rate is None else Fraction(frame_rate)

    def open_it(interrupted: Event) -> Source:
        if source.kind == "images":
            return open_images(source.images, rate or FRAME_RATE)
        opened = open_source(source.text, source.kind, replace(SourceOptions(), bare_rate=rate), interrupted)
        info = opened.info
        try:
            check_frames(1 if info.live else batch, streams_for_files(), (info.height, info.width))
        except ConfigError:
            opened.close()
            raise
        return opened

    return open_it


def watch(
    runner: Runner, metrics: Metrics, title: str, quiet: bool, stride: int = 1, most: int | None = None
) -> tuple[RunReport | None, bool]:
    """Start a run and show its progress until it ends; Ctrl-C ends it in order.

    stride, most: of so many frames one is taken, and at most so many are

    Returns its report, None where its threads do not end, and whether the user has ended it.
    """
    with frames_bar(quiet) as progress:
        task = progress.add_task(title, total=None, status="opening")
        try:
            runner.start()
            while (done := runner.join(TICK)) is None:
                snapshot, total = metrics.snapshot(), total_frames(runner.info, stride, most)
                progress.update(task, completed=snapshot.frames, total=total, status=progress_text(snapshot))
        except KeyboardInterrupt:
            runner.stop()
            return runner.join(PATIENCE), True
    return done, False


def named(name: str, error: Exception) -> str:
    """Return an error as a line that says which input it is about."""
    if is_out_of_memory(error):
        return f"{name}: not enough memory for frames of this size"
    if isinstance(error, OSError):
        return f"{name}: {error.strerror or error}"
    text = str(error)
    if not isinstance(error, LiveMaskError):
        return f"{name}: {type(error).__name__}: {text}"
    return text if text.startswith(name) else f"{name}: {text}"


def total_frames(info: SourceInfo | None, stride: int, most: int | None) -> int | None:
    """Return how many frames a run will take, None where nobody knows."""
    if info is None or info.live or not info.frame_count:
        return most
    taken = -(-info.frame_count // stride)
    return taken if most is None else min(taken, most)
