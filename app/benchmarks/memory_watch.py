"""The memory of a long run, watched from within: each function runs in a process of its own."""

from __future__ import annotations

import json
from pathlib import Path

from app.benchmarks.clip_run import annotate
from app.benchmarks.network import injecting
from app.benchmarks.resident import in_bytes
from app.threads import streams_for_files
from pipeline.frame import Result
from pipeline.sinks.base import SinkReport
from pipeline.sinks.video import VideoSink
from pipeline.sources.base import SourceInfo

FIRST = 500  # frames after which nothing more should grow
CLIP, WEIGHTS = "clip.mp4", "livemask_s.pt"


def prepare(folder: str) -> None:
    """Compile the weights."""
    injecting(Path(folder) / WEIGHTS, device="cpu", streams=streams_for_files())


def watch(folder: str, frames: int) -> None:
    """Annotate the clip, and print peak and growth in bytes as json."""
    resident: dict[int, int] = {}

    class Watching:
        """A sink that notes the memory at two frames."""

        def open(self, info: SourceInfo) -> None: ...

        def write(self, result: Result) -> None:
            if result.frame.index in (FIRST, frames - 1):
                resident[result.frame.index] = in_bytes("VmRSS")

        def close(self, complete: bool) -> SinkReport:
            return SinkReport(None, "")

    predictor = injecting(Path(folder) / WEIGHTS, device="cpu", streams=streams_for_files())
    annotate(Path(folder) / CLIP, predictor, VideoSink(Path(folder) / "out.mp4"), Watching())
    growth = resident[frames - 1] - resident[FIRST]
    print(json.dumps({"peak": in_bytes("VmHWM"), "growth": growth}))
