"""Batches of videos: what the scheduling costs, and several files in one process."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from app.batch.backend import BACKENDS, Backend
from app.batch.fingerprint import fingerprint_of
from app.batch.manifest import Manifest
from app.batch.records import PlannedVideo, TryOutcome, key_of
from app.batch.scheduler import Scheduler
from app.batch.store import BatchFolder
from app.benchmarks.against.checkout import Checkout, Spent
from app.benchmarks.empty_task import EMPTY
from app.benchmarks.figures import Figure, Setup, at_least, at_most, missing
from app.benchmarks.resident import in_bytes
from model.project import DEMO, ROOT

ORDERS = 2000
FIRST = 200  # orders after which nothing should grow any more
FILES = 4


def run(setup: Setup) -> list[Figure]:
    """The gap between two tasks and the growth of the driver, by backend; four files at a time."""
    figures: list[Figure] = []
    for name in BACKENDS:
        if name == "ray" and importlib.util.find_spec("ray") is None:
            figures.append(missing("batch on ray", "Ray is not installed"))
            continue
        figures += _scheduling(name)
    return [*figures, *_shared(setup)]


def _scheduling(name: str) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        manifest = Manifest(BatchFolder(Path(folder) / "out"))
        videos = _videos(Path(folder))
        manifest.plan(videos)
        backend = _backend(name, manifest.folder.out)
        watch = _Watch()
        try:
            Scheduler(manifest, backend, watch).run(videos)
        finally:
            backend.close()
    gap = watch.seconds / (ORDERS - FIRST) * 1000
    told = f"{ORDERS} videos without content, claimed, synced and recorded, by 1 worker"
    return [
        at_most(f"batch on {name}: gap between tasks", gap, 10, "ms", told),
        at_most(f"batch on {name}: growth of the driver", watch.growth / 1e6, 10, "MB"),
    ]


def _backend(name: str, out: Path) -> Backend:
    module, _, kind = BACKENDS[name].partition(":")
    backend: Backend = getattr(importlib.import_module(module), kind)(EMPTY, out, 1, ORDERS)
    return backend


def _videos(folder: Path) -> list[PlannedVideo]:
    source = folder / "empty"
    source.write_bytes(b"")
    mark = fingerprint_of(source)
    names = [f"{number:05}" for number in range(ORDERS)]
    return [
        PlannedVideo(key_of(name, mark, ""), name, str(source), "", mark, (("record", f"{name}.jsonl"),))
        for name in names
    ]


class _Watch:
    """Notes time and memory between the first orders and the last. See `app.batch.scheduler.Tell`."""

    def __init__(self) -> None:
        self._told = 0
        self._begun, self._before = 0.0, 0
        self.seconds, self.growth = 0.0, 0

    def __call__(self, video: PlannedVideo, outcome: TryOutcome) -> None:
        self._told += 1
        if self._told == FIRST:
            self._begun, self._before = time.perf_counter(), in_bytes("VmRSS")
        self.seconds = time.perf_counter() - self._begun
        self.growth = in_bytes("VmRSS") - self._before


def _shared(setup: Setup) -> list[Figure]:
    """Compare files in one process, at a time, with a process for each, one after another."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = [folder / f"{number}.mp4" for number in range(FILES)]
        for file in files:
            shutil.copyfile(setup.clip or DEMO, file)
        _annotate(files[:1], folder / "warm", "--max-frames", "1")
        together = _annotate(files, folder / "together", "--share")
        alone = [_annotate([file], folder / "alone") for file in files]
    ratio = sum(spent.seconds for spent in alone) / together.seconds
    memory = together.peak / sum(spent.peak for spent in alone)
    return [
        at_least(f"--share: frames a second of {FILES} files to one after another", ratio, 1.2),
        at_most(f"--share: memory to that of {FILES} processes", memory, 0.4, "x"),
    ]


def _annotate(files: Sequence[Path], out: Path, *more: str) -> Spent:
    return Checkout("this checkout", ROOT).run("annotate", *files, "-o", out, "-q", *more)
