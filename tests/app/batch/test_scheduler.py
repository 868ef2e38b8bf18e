"""Batches of stand-in work on this machine's workers: what fails, what dies, what hangs."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from app.batch.claims import claims_in
from app.batch.local import LocalBackend, share_of
from app.batch.manifest import MOST_FAILURES, Manifest
from app.batch.records import FINISHED, LOST, Order
from app.batch.scheduler import Scheduler
from app.batch.status import status_of
from app.batch.store import BatchFolder
from model.errors import LiveMaskError
from tests.app.batch.conftest import Write
from tests.app.batch.driving import TASK, driver, until, video_of, videos_of, work_off


def test_every_input_is_made_once_and_a_second_start_has_nothing_to_do(inputs: Path, out: Path, write: Write):
    log = inputs / "log"
    for number in range(6):
        write(f"v{number}", "hello", f"log {log}")
    assert work_off(inputs, out).finished == 6
    assert work_off(inputs, out).finished == 0
    assert sorted(log.read_text().split()) == [f"v{number}.in" for number in range(6)]
    assert (out / "v3.jsonl").read_text() == f"0 hello\n1 log {log}\n"
    assert list((out / ".batch" / "work").iterdir()) == []
    assert claims_in(out / ".batch" / "claims") == {}


def test_a_video_that_fails_three_times_is_given_up_and_the_others_go_on(
    inputs: Path, out: Path, write: Write
):
    write("bad", "fail")
    write("good", "hello")
    tally = work_off(inputs, out, workers=1)
    assert tally.failed == [("bad.in", "it says that it fails")]
    assert tally.finished == 1
    manifest = Manifest(BatchFolder(out))
    assert len(manifest.failures(video_of(inputs / "bad.in").key)) == MOST_FAILURES
    assert not (out / "bad.jsonl").exists()
    assert status_of(manifest).failed == tally.failed


def test_a_video_that_kills_its_worker_three_times_is_given_up_and_the_others_go_on(
    inputs: Path, out: Path, write: Write
):
    write("a-poison", "hello", "kill")
    for number in range(3):
        write(f"b{number}", "hello")
    tally = work_off(inputs, out, workers=1)
    assert tally.failed == [("a-poison.in", "its worker ended: signal SIGKILL")]
    assert tally.finished == 3
    assert sorted(one.name for one in out.glob("*.jsonl")) == [f"b{n}.jsonl" for n in range(3)]


def test_what_failed_is_tried_again_once_it_is_forgiven(inputs: Path, out: Path, write: Write):
    path = write("bad", "fail")
    assert len(work_off(inputs, out).failed) == 1
    assert work_off(inputs, out).failed == []  # given up, it is not in what is worked off
    Manifest(BatchFolder(out)).forgive(video_of(path).key)
    assert len(work_off(inputs, out).failed) == 1


@pytest.mark.slow
def test_a_frozen_worker_is_ended_and_its_video_begun_again(inputs: Path, out: Path, write: Write):
    flag = inputs / "flag"
    write("slow", "hello", f"once {flag}")
    manifest, (video,) = Manifest(BatchFolder(out)), videos_of(inputs)
    backend = LocalBackend(TASK, out, 1, 1, stall=2.5)
    try:
        backend.submit(Order(str(out), video))
        until(lambda: (backend.wait(0.01), claims_in(manifest.folder.claims))[1])
        (process,) = [worker.process for worker in backend._workers]
        assert process.pid is not None
        os.kill(process.pid, signal.SIGSTOP)
        outcomes: list[object] = []
        until(lambda: outcomes.extend(backend.wait(0.1)) or outcomes)
        (outcome,) = outcomes
        assert (outcome.state, outcome.key) == (LOST, video.key)  # type: ignore[attr-defined]
        assert "no sign of life" in outcome.reason  # type: ignore[attr-defined]
        flag.write_text("")
        assert Scheduler(manifest, backend, lambda video, outcome: None).run([video]).finished == 1
    finally:
        backend.close()


def test_workers_end_when_their_driver_is_killed(inputs: Path, out: Path, write: Write):
    for number in range(2):
        write(f"v{number}", "once /nowhere/at/all")
    with driver(inputs, out) as process:
        manifest = Manifest(BatchFolder(out))
        until(lambda: len(claims_in(manifest.folder.claims)) == 2)
        running = status_of(manifest).running
        assert {one.name for one in running} == {"v0.in", "v1.in"}
        process.kill()
    until(lambda: len(status_of(manifest).abandoned) == 2)
    assert status_of(manifest).running == []


def test_a_task_that_is_not_there_is_told_and_ends_the_batch(inputs: Path, out: Path, write: Write):
    write("v", "hello")
    manifest = Manifest(BatchFolder(out))
    backend = LocalBackend("tests.app.batch.standin:Nothing", out, 1, 1)
    try:
        with pytest.raises(LiveMaskError, match="names no task"):
            Scheduler(manifest, backend, lambda video, outcome: None).run(videos_of(inputs))
    finally:
        backend.close()


def test_an_input_that_changes_while_it_is_worked_on_is_no_success(inputs: Path, out: Path, write: Write):
    path = write("v", "hello")
    video = video_of(path)
    path.write_text("other\n")
    manifest = Manifest(BatchFolder(out))
    backend = LocalBackend(TASK, out, 1, 1)
    try:
        tally = Scheduler(manifest, backend, lambda video, outcome: None).run([video])
    finally:
        backend.close()
    assert "was changed since the batch was started" in tally.failed[0][1]
    assert not (out / "v.jsonl").exists()


def test_each_outcome_is_told(inputs: Path, out: Path, write: Write):
    write("bad", "fail")
    write("good", "hello")
    told: list[tuple[str, str]] = []
    backend = LocalBackend(TASK, out, 1, 2)
    try:
        scheduler = Scheduler(
            Manifest(BatchFolder(out)),
            backend,
            lambda video, outcome: told.append((video.name, outcome.state)),
        )
        scheduler.run(videos_of(inputs))
    finally:
        backend.close()
    assert sorted(told) == [("bad.in", "failed")] * 3 + [("good.in", FINISHED)]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system does not tell the cores")
@pytest.mark.parametrize("workers", [1, 2, 3, 7])
def test_cores_are_shared_out_evenly_and_every_worker_has_one(workers: int):
    cores = sorted(os.sched_getaffinity(0))
    shares = [share_of(number, workers) for number in range(workers)]
    assert all(share and set(share) <= set(cores) for share in shares)
    if workers <= len(cores):
        given = [core for share in shares for core in share]
        assert len(given) == len(set(given))
