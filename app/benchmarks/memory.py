"""Memory of a long run on large frames, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from app.benchmarks.clips import write_clip
from app.benchmarks.figures import Figure, Setup, at_most, missing
from model.project import DEMO, ROOT

WIDTH, HEIGHT = 1920, 1080
FIRST = 500  # frames after which nothing more should grow
STATUS = Path("/proc/self/status")
CLIP, WEIGHTS = "clip.mp4", "livemask_s.pt"


def run(setup: Setup) -> list[Figure]:
    """Peak, and growth from frame 500 to the last one, of `livemask_s` with ten instances a frame."""
    if not STATUS.exists():
        return [missing("memory", "this system has no /proc to read it from")]
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / CLIP
        write_clip(clip, setup.clip or DEMO, (WIDTH, HEIGHT), setup.frames)
        _in_a_process("prepare", folder)  # with warm caches, as in every start but the first
        seen = json.loads(_in_a_process("watch", folder, setup.frames).splitlines()[-1])
    title = f"memory, {WIDTH} x {HEIGHT}"
    return [
        at_most(f"{title}: peak", seen["peak"] / 1e9, 1.5, "GB", f"{setup.frames} frames"),
        at_most(
            f"{title}: growth after frame {FIRST}", seen["growth"] / 1e6, 20, "MB", f"to frame {setup.frames}"
        ),
    ]


def _in_a_process(function: str, *arguments: object) -> str:
    """Run a function of this module in a process of its own, and return what it prints."""
    code = f"from app.benchmarks import memory; memory.{function}{arguments!r}"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def prepare(folder: str) -> None:
    """Write the weights, and compile them."""
    from app.benchmarks.network import injecting, write_random_weights
    from app.threads import streams_for_files

    write_random_weights("livemask_s", Path(folder) / WEIGHTS)
    injecting(Path(folder) / WEIGHTS, device="cpu", streams=streams_for_files())


def watch(folder: str, frames: int) -> None:
    """Annotate the clip, and print peak and growth in bytes as json."""
    from app.benchmarks.annotating import annotate
    from app.benchmarks.network import injecting
    from app.threads import streams_for_files
    from pipeline.frame import Result
    from pipeline.sinks.base import SinkReport
    from pipeline.sinks.video import VideoSink
    from pipeline.sources.base import SourceInfo

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


def in_bytes(key: str) -> int:
    """A figure of the kernel's about this process; what it calls kB are 1024 bytes each."""
    lines = STATUS.read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))
