"""Delivers the right side of a comparison to a sink."""

from __future__ import annotations

import dataclasses

from pipeline.frame import Result
from pipeline.sinks.base import Sink, SinkReport
from pipeline.sources.base import SourceInfo


class OtherSide:
    """A sink that gives another one the right side's detections, as if nothing else had been looked for."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def open(self, info: SourceInfo) -> None:
        """See `Sink.open`."""
        self._sink.open(info)

    def write(self, result: Result) -> None:
        """See `Sink.write`. The result comes from a `PairedDetector`."""
        assert result.other is not None, "the result of a comparison has another side"
        self._sink.write(
            dataclasses.replace(result, detections=result.other, other=None, annotated=None, inspection=None)
        )

    def close(self, complete: bool) -> SinkReport:
        """See `Sink.close`."""
        return self._sink.close(complete)
