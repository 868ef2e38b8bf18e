"""One run of the whole pipeline on a file, measured."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

from model.predictor import Predictor
from pipeline.builder import build_runner
from pipeline.metrics.run import MetricsSnapshot
from pipeline.overlay.draw import OverlayStyle
from pipeline.runner import RunState
from pipeline.sinks.base import Sink
from pipeline.sources.video import open_video
from pipeline.stages import RunOptions


class ClipRun(NamedTuple):
    """Frames a second, CPU seconds a frame, and what the pipeline measured of itself."""

    fps: float
    cpu_seconds: float
    metrics: MetricsSnapshot


def annotate(clip: Path, predictor: Predictor, *sinks: Sink, batch: int = 1) -> ClipRun:
    """Annotate a file and measure it from the start of the threads to the end of the last one."""
    runner = build_runner(
        lambda _: open_video(clip), predictor, sinks, OverlayStyle(), options=RunOptions(batch)
    )
    begun, cpu = time.perf_counter(), time.process_time()
    runner.start()
    report = runner.join()
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    assert report is not None
    if report.error is not None:
        raise report.error
    assert report.state is RunState.FINISHED
    return ClipRun(report.frames / seconds, cpu / report.frames, report.metrics)
