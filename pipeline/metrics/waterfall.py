"""The last frames on their way through the stages as bars on a time axis: who works, and who waits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics.run import STAGES, Span

FRAMES = 10
WAIT, ROOM = "wait", "room"

Bars = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Chart:
    """The bars to draw. Time is in milliseconds and ends at 0, when the newest span ended.

    rows:   what the rows are called, from the top
    bars:   [n, 3] float64 by kind: row, begin, length. A kind is a stage that works, or `WAIT` or `ROOM`
    length: milliseconds from the first begin to 0
    """

    rows: tuple[str, ...]
    bars: Mapping[str, Bars]
    length: float


def by_stage(spans: Sequence[Span]) -> Chart:
    """A row a stage: its work, and where it waits for a frame or for room in the queue after it."""
    start, end = _limits(_last_frames(spans))
    shown = [span for span in spans if start < span.end <= end]  # those of dropped frames too
    present = {span.stage for span in shown}
    rows = tuple(stage for stage in STAGES if stage in present)
    bars: defaultdict[str, list[tuple[int, float, float]]] = defaultdict(list)
    for span in shown:
        kind = span.stage if span.kind == "work" else span.kind
        begin = max(span.begin, start)
        bars[kind].append((rows.index(span.stage), begin - end, span.end - begin))
    return _chart(rows, bars, end - start)


def by_frame(spans: Sequence[Span]) -> Chart:
    """A row a frame, the newest at the bottom: the work on it, and in between how it waits in queues."""
    spans = [span for span in _last_frames(spans) if span.kind == "work" or span.stage == "capture"]
    frames = sorted({span.frame for span in spans})
    start, end = _limits(spans)
    bars: defaultdict[str, list[tuple[int, float, float]]] = defaultdict(list)
    for row, frame in enumerate(frames):
        here = [span for span in spans if span.frame == frame]
        work = [span for span in here if span.kind == "work"]
        # of a live source a frame's way begins when the waiting for it ends
        begin = min(span.begin if span.kind == "work" else span.end for span in here)
        last = max(span.end for span in here)
        bars[WAIT].append((row, begin - end, last - begin))
        for span in work:
            bars[span.stage].append((row, span.begin - end, span.end - span.begin))
    return _chart(tuple(f"#{frame}" for frame in frames), bars, end - start)


# name -> what makes the chart of spans
CHARTS: dict[str, Callable[[Sequence[Span]], Chart]] = {"stages": by_stage, "frames": by_frame}


def _last_frames(spans: Sequence[Span]) -> list[Span]:
    """Spans of the last frames that got through; those that are still on their way would only flicker."""
    done = sorted({span.frame for span in spans if span.stage == "encode" and span.kind == "work"})
    chosen = set(done[-FRAMES:])
    return [span for span in spans if span.frame in chosen]


def _limits(spans: Sequence[Span]) -> tuple[float, float]:
    """Return start and end of the time axis: earlier waiting is cut off."""
    begin = min((s.begin if s.kind == "work" else s.end for s in spans), default=0.0)
    return begin, max((span.end for span in spans), default=0.0)


def _chart(
    rows: tuple[str, ...], bars: Mapping[str, list[tuple[int, float, float]]], seconds: float
) -> Chart:
    scale = np.array([1.0, 1000.0, 1000.0])
    return Chart(rows, {kind: np.array(found) * scale for kind, found in bars.items()}, 1000 * seconds)
