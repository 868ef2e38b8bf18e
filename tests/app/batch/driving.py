"""Batches of texts, driven by processes of their own: `python -m tests.app.batch.driving IN OUT WORKERS`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from app.batch.fingerprint import fingerprint_of
from app.batch.local import LocalBackend
from app.batch.manifest import MOST_FAILURES, Manifest
from app.batch.records import PlannedVideo, key_of
from app.batch.scheduler import Scheduler, Tally
from app.batch.store import BatchFolder
from tests.source_tree import ROOT

TASK = "tests.app.batch.standin:Copying"
PATIENCE = 60.0  # seconds; a busy machine takes its time


def videos_of(inputs: Path, settings: str = "plain") -> list[PlannedVideo]:
    """A video for each text of a folder."""
    return [video_of(path, settings) for path in sorted(inputs.glob("*.in"))]


def video_of(path: Path, settings: str = "plain") -> PlannedVideo:
    print_of = fingerprint_of(path)
    outputs = (("record", f"{path.stem}.jsonl"), ("video", f"{path.stem}.txt"))
    key = key_of(path.name, print_of, settings)
    return PlannedVideo(key, path.name, str(path), settings, print_of, outputs)


def work_off(
    inputs: Path, out: Path, workers: int = 2, settings: str = "plain", lease: float = 20.0
) -> Tally:
    """Make what is missing, as a start does, in this process and its workers."""
    manifest = Manifest(BatchFolder(out))
    videos = videos_of(inputs, settings)
    manifest.plan(videos)
    missing = [
        video
        for video in videos
        if manifest.finished(video.key) is None and len(manifest.failures(video.key)) < MOST_FAILURES
    ]
    backend = LocalBackend(TASK, out, workers, len(missing), stall=PATIENCE)
    try:
        return Scheduler(manifest, backend, lambda video, outcome: None, lease).run(missing)
    finally:
        backend.close()


@contextmanager
def driver(
    inputs: Path, out: Path, workers: int = 2, settings: str = "plain"
) -> Iterator[subprocess.Popen[str]]:
    """A process that works off a batch; it is killed at the end of the context."""
    command = [sys.executable, "-m", "tests.app.batch.driving", inputs, out, workers, settings]
    process = subprocess.Popen(
        [str(word) for word in command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # workers complain where their driver is killed as they start
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(state: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait for a state, and fail where it does not come."""
    deadline = monotonic() + seconds
    while not state():
        assert monotonic() < deadline, f"waited {seconds:.0f} s for what did not come"
        sleep(0.005)


if __name__ == "__main__":
    tally = work_off(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
    print(tally.finished, len(tally.failed), tally.left, flush=True)
