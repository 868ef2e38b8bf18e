"""SIGKILL at any moment, of a worker, of the driver, or of all: nothing is half done, nothing done twice."""

from __future__ import annotations

import contextlib
import os
import random
import signal
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import pytest

from app.batch.claims import claims_in, holder_of
from app.batch.manifest import Manifest
from app.batch.publishing import seen
from app.batch.store import BatchFolder
from tests.app.batch.conftest import Write
from tests.app.batch.driving import driver, until, videos_of, work_off

LINES = 4
ROUNDS = 150.0  # seconds within which a batch that is killed again and again has to end


@dataclass(frozen=True)
class Seen:
    """The outputs of a finished video as they were seen: what a file is, and when it was made."""

    files: dict[str, tuple[int, int]]


def expected(name: str) -> str:
    return "".join(f"{number} sleep 0.00{number} {name}\n" for number in range(LINES))


def make_inputs(write: Write, videos: int) -> None:
    for number in range(videos):
        name = f"v{number:02d}"
        write(name, *(f"sleep 0.00{line} {name}" for line in range(LINES)))


def look(inputs: Path, out: Path) -> dict[str, Seen]:
    """The finished videos, having looked that their outputs are whole, and that no other output is half."""
    manifest, found = Manifest(BatchFolder(out)), {}
    for record in manifest.all_finished():
        for output in record.outputs:
            assert seen(out, output.path) == output, "a record lacks whole files"
        places = [out / output.path for output in record.outputs]
        found[record.name] = Seen({p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in places})
    for path in out.glob("*.jsonl"):
        assert path.read_text() == expected(path.stem), "an output is half under its final name"
    for path in out.glob("*.txt"):
        assert path.read_text() == f"{LINES}\n"
    return found


def workers_of(out: Path) -> list[int]:
    """The processes that work on something."""
    folder = BatchFolder(out).claims
    holders = [holder_of(folder, claim) for claim in claims_in(folder).values()]
    return [holder.pid for holder in holders if holder is not None and not holder.is_gone]


def kill_something(chance: random.Random, pid: int, out: Path) -> None:
    """Kill a worker, the driver, or all of them."""
    workers = workers_of(out)
    victims = {"worker": workers[:1], "driver": [pid], "all": [*workers, pid]}
    for victim in victims[chance.choice(["worker", "driver", "driver", "all"])]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)


SEEDS = [(1, 6), *(pytest.param(seed, 20, marks=pytest.mark.slow) for seed in range(2, 6))]


@pytest.mark.parametrize(("seed", "videos"), SEEDS)
def test_whatever_is_killed_at_whatever_moment_the_next_start_makes_what_is_missing(
    inputs: Path, out: Path, write: Write, seed: int, videos: int
):
    chance, deadline = random.Random(seed), monotonic() + ROUNDS
    make_inputs(write, videos)
    finished: dict[str, Seen] = {}
    kills = 0
    while len(finished) < videos:
        assert monotonic() < deadline, f"{len(finished)} of {videos} videos after {kills} kills"
        with driver(inputs, out) as process:
            until(lambda: process.poll() is not None or workers_of(out))
            sleep(chance.uniform(0, 0.12))
            kill_something(chance, process.pid, out)
            kills += 1
            sleep(chance.uniform(0, 0.03))
        now = look(inputs, out)
        assert now | finished == now, "a finished video was made again, or is gone"
        finished = now
        for video in videos_of(inputs):  # a worker that is killed is a try of its video
            Manifest(BatchFolder(out)).forgive(video.key)
    assert work_off(inputs, out).failed == []
    assert look(inputs, out) == finished
    assert kills > 1


def test_a_start_after_all_were_killed_makes_just_what_was_not_finished(
    inputs: Path, out: Path, write: Write
):
    log = inputs / "log"
    for number in range(4):
        write(f"v{number}", f"log {log}", f"once {inputs / 'flag'}" if number > 1 else "hello")
    with driver(inputs, out) as process:
        until(lambda: log.exists() and len(log.read_text().split()) == 4 and len(workers_of(out)) == 2)
        until(lambda: len(list(Manifest(BatchFolder(out)).all_finished())) == 2)
        for pid in (process.pid, *workers_of(out)):
            os.kill(pid, signal.SIGKILL)
    (inputs / "flag").write_text("")
    assert work_off(inputs, out).finished == 2
    assert sorted(log.read_text().split()) == ["v0.in", "v1.in", "v2.in", "v2.in", "v3.in", "v3.in"]
