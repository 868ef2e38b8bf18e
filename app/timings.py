"""The table of a run's timings, for its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.terminal import Table, plain
from pipeline.metrics.performance import TIMING_HEADS, summary_lines, timing_row

if TYPE_CHECKING:
    from pipeline.metrics.run import MetricsSnapshot


def table(snapshot: MetricsSnapshot) -> str:
    """Return a row a stage, lines about queues, drops and ages, and the bottleneck.

    "works" and "waits" are shares of the run's time.
    """
    if not snapshot.stages:
        return "timings: nothing was measured"
    title = f"timings: {snapshot.frames} frames in {snapshot.seconds:.2f} s, {snapshot.fps:.1f} fps"
    rows = tuple(timing_row(snapshot, stage) for stage in snapshot.stages)
    return "\n".join([plain(Table(title, TIMING_HEADS, rows)), *summary_lines(snapshot)])
