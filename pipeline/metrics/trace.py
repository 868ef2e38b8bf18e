"""A run's every event as a file that chrome://tracing and ui.perfetto.dev open, or its newest in memory.

Format: "Trace Event Format", the Chromium project's document; times in it are microseconds.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from pathlib import Path
from time import monotonic
from typing import Any

from model.errors import SinkError
from pipeline.metrics.run import Span
from pipeline.sinks.part_file import PartFile, cannot_be_written

_MOST = 4096  # a frame leaves about 13: two seconds of a file that is played at 150 frames a second


_WHAT = {"work": "{}", "wait": "{} waits for a frame", "room": "{} waits for room"}
_OPENING = '{"displayTimeUnit":"ms","traceEvents":[\n'
_CLOSING = "\n]}\n"


class TraceWriter:
    """Writes events as they come, so that memory does not grow; a `metrics.Trace`, for any number of threads.

    One track a thread, one curve a queue, a mark for every drop. The file gets its name when it is closed;
    until then it lies beside it under a temporary one. A disk that is full in the middle of a run costs the
    trace, not the run: `close` tells.

    began: when it was made, in seconds of `time.monotonic()`: the 0 of the file's times
    """

    def __init__(self, path: Path, overwrite: bool = True) -> None:
        """Raises SinkError when nothing can be written there."""
        self._out = PartFile(path, overwrite)
        self._lock = threading.Lock()
        self._encode = json.JSONEncoder(separators=(",", ":")).encode
        self.began = monotonic()
        self._tracks: dict[str, int] = {}
        self._error: OSError | None = None
        self._open = True
        first = {"name": "process_name", "ph": "M", "pid": 1, "args": {"name": "livemask"}}
        self._put(_OPENING + self._encode(first))

    def span(self, span: Span) -> None:
        """A stretch of work or waiting on the track of its thread."""
        name = _WHAT[span.kind].format(span.stage)
        begin, length = self._microseconds(span.begin), max(span.end - span.begin, 0.0) * 1e6
        event = {"name": name, "cat": span.kind, "ph": "X", "ts": begin, "dur": round(length, 1)}
        self._add(event, span.thread, {"frame": span.frame})

    def queue(self, name: str, depth: int) -> None:
        """Add a point to the queue's curve."""
        event = {"name": f"queue {name}", "ph": "C", "ts": self._microseconds(monotonic())}
        self._add(event, None, {"items": depth})

    def drop(self, name: str, count: int) -> None:
        """Add a mark to the track of this thread."""
        event = {"name": "drop", "cat": "drop", "ph": "i", "s": "t", "ts": self._microseconds(monotonic())}
        self._add(event, threading.current_thread().name, {"queue": name, "frames": count})

    def close(self) -> None:
        """Finish the file and give it its name; events that come later are left out. Again does no harm.

        Raises SinkError when not all of it could be written; nothing is left behind then.
        """
        with self._lock:
            if not self._open:
                return
            self._put(_CLOSING)
            self._open = False
            try:
                with cannot_be_written(self._out.path):
                    if self._error is not None:
                        raise self._error
                self._out.publish()
            except SinkError:
                self._out.discard()
                raise

    def _add(self, event: dict[str, Any], thread: str | None, args: dict[str, Any]) -> None:
        """Write an event with its arguments, on the track of that thread where it belongs to one."""
        event["pid"], event["args"] = 1, args
        with self._lock:
            if thread is not None:
                event["tid"] = self._track(thread)
            self._put(",\n" + self._encode(event))

    def _track(self, thread: str) -> int:
        """The number of a thread's track; the first time its name is written, too."""
        if thread not in self._tracks:
            number = self._tracks[thread] = len(self._tracks) + 1
            facts = {"thread_name": {"name": thread}, "thread_sort_index": {"sort_index": number}}
            for name, value in facts.items():
                event = {"name": name, "ph": "M", "pid": 1, "tid": number, "args": value}
                self._put(",\n" + self._encode(event))
        return self._tracks[thread]

    def _put(self, text: str) -> None:
        if not self._open or self._error is not None:
            return
        try:
            self._out.file.write(text.encode())
        except OSError as error:
            self._error = error

    def _microseconds(self, at: float) -> float:
        """A time of the trace, whose 0 is when it was begun."""
        return round((at - self.began) * 1e6, 1)


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
        """Ignore it: `Metrics.snapshot` has the fill of the queues."""

    def drop(self, name: str, count: int) -> None:
        """Ignore it: `Metrics.snapshot` counts the drops."""

    def snapshot(self) -> tuple[Span, ...]:
        """The spans that are kept, in the order in which they came: mostly that of their ends."""
        with self._lock:
            return tuple(self._spans)
