"""The newest spans of a run, for a waterfall that is drawn while it goes on."""

from __future__ import annotations

import threading
from collections import deque

from pipeline.metrics.run import Span

_MOST = 4096  # a frame leaves about 13: two seconds of a file that is played at 150 frames a second


class RecentSpans:
    """A `metrics.Trace` that keeps the last `most` spans, whatever their stage, and nothing else.

    Any thread may call any method at any time. Raises ValueError when `most` is less than 1.
    """

    def __init__(self, most: int = _MOST) -> None:
        if most < 1:
            raise ValueError(f"expected room for at least one span, got {most}")
        self._lock = threading.Lock()
        self._spans: deque[Span] = deque(maxlen=most)

    def span(self, span: Span) -> None:
        """Keep a span; the oldest one goes where there is no more room."""
        with self._lock:
            self._spans.append(span)

    def queue(self, name: str, depth: int) -> None:
        """Not kept: `Metrics.snapshot` tells how full the queues are."""

    def drop(self, name: str, count: int) -> None:
        """Not kept: `Metrics.snapshot` counts the drops."""

    def snapshot(self) -> tuple[Span, ...]:
        """The spans that are kept, in the order in which they came: mostly that of their ends."""
        with self._lock:
            return tuple(self._spans)
