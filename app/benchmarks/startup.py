"""Times from the start of a process."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from app.benchmarks.figures import Figure, Setup, at_most
from model.project import DEMO, ROOT

RUNS = 5


def run(setup: Setup) -> list[Figure]:
    """`--help`, and the first frame of a video annotated with all caches warm: the best of five."""
    clip = setup.clip or DEMO
    weights = ["--weights", setup.weights] if setup.weights else []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "first.mp4"
        first = ["annotate", str(clip), "-o", str(out), "--overwrite", "-q", "--max-frames", "1", *weights]
        _seconds(first)  # fills the caches
        taken = {"first": _best(first), "help": _best(["--help"])}
    return [
        at_most("first annotated frame after the start", taken["first"], 4, "s", "the file is closed too"),
        at_most("--help", taken["help"], 0.5, "s"),
    ]


def _best(arguments: list[str]) -> float:
    return min(_seconds(arguments) for _ in range(RUNS))


def _seconds(arguments: list[str]) -> float:
    begun = time.perf_counter()
    command = [sys.executable, str(ROOT / "run_app.py"), *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun
