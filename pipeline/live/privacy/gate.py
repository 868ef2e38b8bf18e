"""Privacy gate: hides results that were in flight when privacy was asked for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from pipeline.frame import Result
from pipeline.live.network.networks import Networks
from pipeline.settings import DisplaySettings
from pipeline.sinks.latest import LatestSink
from pipeline.sources.base import SourceInfo

if TYPE_CHECKING:
    from pipeline.live.painting import LivePainter
    from pipeline.sinks.base import SinkReport


class PrivacyGate:
    """A `Sink` that hands results on to `shown`; those that must not be seen are hidden as a whole.

    `draw` may be called from any thread: what is shown by then, and what comes after, is looked at.
    """

    def __init__(self, shown: LatestSink, networks: Networks, display: DisplaySettings) -> None:
        self._shown = shown
        self._networks = networks
        self._display = display
        self._painter: LivePainter | None = None
        self._lock = threading.Lock()  # a check and its consequence are one step

    def draw(self, display: DisplaySettings) -> None:
        """Paint like that from now on; hide what is shown where somebody may have been overlooked in it.

        Where privacy has begun, a lost camera, or a source that is over, gives no other picture.
        """
        with self._lock:
            if display is not self._display:
                self._display, self._painter = display, None
            result = self._shown.peek()
            if result is not None and self._networks.overlooked(result.frame):
                self._shown.write(self._hidden(result))

    def open(self, info: SourceInfo) -> None:
        """See `Sink.open`."""
        self._shown.open(info)

    def write(self, result: Result) -> None:
        """See `Sink.write`."""
        with self._lock:
            self._shown.write(self._hidden(result) if self._networks.must_hide(result.frame) else result)

    def close(self, complete: bool) -> SinkReport:
        """See `Sink.close`."""
        return self._shown.close(complete)

    def _hidden(self, result: Result) -> Result:
        """Return the result hidden as a whole, also where it is hidden already."""
        from pipeline.live.painting import LivePainter

        if self._painter is None:
            self._painter = LivePainter(self._display)
        return self._painter.hidden(result, 0.0)
