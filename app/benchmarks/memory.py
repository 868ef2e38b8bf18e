"""Memory of a long run on large frames, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from app.benchmarks.clips import write_clip
from app.benchmarks.figures import Figure, Setup, at_most, missing
from app.benchmarks.memory_watch import CLIP, FIRST, WEIGHTS
from app.benchmarks.random_weights import write_random_weights
from app.benchmarks.resident import STATUS
from model.project import DEMO, ROOT

WIDTH, HEIGHT = 1920, 1080


def run(setup: Setup) -> list[Figure]:
    """Peak, and growth from frame 500 to the last one, of `livemask_s` with ten instances a frame."""
    if not STATUS.exists():
        return [missing("memory", "this system has no /proc to read it from")]
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / CLIP
        write_clip(clip, setup.clip or DEMO, (WIDTH, HEIGHT), setup.frames)
        write_random_weights("livemask_s", Path(folder) / WEIGHTS)
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
    """Run a function of `memory_watch` in a process of its own, and return what it prints."""
    code = f"from app.benchmarks import memory_watch; memory_watch.{function}{arguments!r}"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
