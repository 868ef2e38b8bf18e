"""The newest result, for a window that draws when it is ready to."""

from __future__ import annotations

import threading

from pipeline.frame import Result
from pipeline.sinks.base import SinkReport
from pipeline.sinks.frame_range import FrameRange
from pipeline.sources.base import SourceInfo


class LatestSink:
    """A slot for one result. Writing never waits; results not taken in time are replaced and counted.

    One thread writes as to any sink; any others may call `take`, `peek` and the properties at any time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._result: Result | None = None
        self._info: SourceInfo | None = None
        self._closed = False
        self._taken = True
        self._overwritten = 0
        self._span = FrameRange()

    @property
    def info(self) -> SourceInfo | None:
        """The source whose results come in; None before `open`."""
        with self._lock:
            return self._info

    @property
    def closed(self) -> bool:
        """True once nothing more is going to come."""
        with self._lock:
            return self._closed

    def take(self) -> Result | None:
        """The newest result, once; None when it was taken before or there is none yet. Never waits."""
        with self._lock:
            result = None if self._taken else self._result
            self._taken = True
            return result

    def peek(self) -> Result | None:
        """The newest result, taken before or not; None when there is none yet. Never waits."""
        with self._lock:
            return self._result

    def open(self, info: SourceInfo) -> None:
        """Get ready for a source."""
        with self._lock:
            self._info, self._closed = info, False

    def write(self, result: Result) -> None:
        """Put a result into the slot."""
        with self._lock:
            self._overwritten += not self._taken
            self._result, self._taken = result, False
            self._span.add(result.frame)

    def close(self, complete: bool) -> SinkReport:
        """Close the sink; the last result can still be taken."""
        with self._lock:
            self._closed = True
            summary = f"{self._span}, {self._overwritten} replaced before they were taken"
            return SinkReport(None, summary, whole=complete)
