"""Batches on a Ray cluster of three nodes on this machine: whatever ends or freezes, nothing is lost."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.batch.manifest import Manifest
from app.batch.records import FINISHED, PlannedVideo, TryOutcome
from app.batch.scheduler import Scheduler, Tally
from app.batch.store import BatchFolder
from model.errors import ConfigError
from tests.app.batch.conftest import Write
from tests.app.batch.driving import TASK, until, videos_of
from tests.source_tree import ROOT

pytest.importorskip("ray", reason="Ray is not installed: pip install -r requirements-ray.txt")

from ray.cluster_utils import Cluster

from app.batch import ray_cluster
from app.batch.ray_cluster import ATTENTION, RayBackend
from app.batch.versions import versions_here

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]

NODES = 3


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    for name, value in ATTENTION.items():
        monkeypatch.setenv(f"RAY_{name}", str(value))
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "_system_config": ATTENTION})
    for _ in range(NODES - 1):
        made.add_node(num_cpus=1)
    yield made
    made.shutdown()


def work_off(address: str, inputs: Path, out: Path, outcomes: list[TryOutcome]) -> Tally:
    manifest, videos = Manifest(BatchFolder(out)), videos_of(inputs)
    manifest.plan(videos)
    missing = [video for video in videos if manifest.finished(video.key) is None]

    def tell(video: PlannedVideo, outcome: TryOutcome) -> None:
        outcomes.append(outcome)

    backend = RayBackend(TASK, out, NODES, len(missing), address)
    try:
        return Scheduler(manifest, backend, tell).run(missing)
    finally:
        backend.close()


def finished(outcomes: list[TryOutcome]) -> int:
    return sum(outcome.state == FINISHED for outcome in outcomes)


def check_whole(out: Path, names: list[str]) -> None:
    assert sorted(path.stem for path in out.glob("*.jsonl")) == sorted(names)
    for path in out.glob("*.txt"):
        assert path.read_text() == "4\n"


def raylet_of(cluster: Cluster, number: int) -> int:
    return int(cluster.list_all_nodes()[number].all_processes["raylet"][0].process.pid)


def family(pid: int) -> list[int]:
    """A process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def during(job: object, states: list[TryOutcome], count: int) -> threading.Thread:
    """Do something once so many videos are finished."""
    assert callable(job)

    def wait() -> None:
        until(lambda: finished(states) >= count)
        job()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_a_worker_that_dies_costs_its_video_one_try_and_a_poisonous_video_costs_nobody_else_anything(
    cluster: Cluster, inputs: Path, out: Path, write: Write
):
    names = [f"v{number}" for number in range(6)]
    for name in names:
        write(name, *["sleep 0.05"] * 4)
    write("poison", "sleep 0.05", "kill")
    outcomes: list[TryOutcome] = []
    tally = work_off(cluster.address, inputs, out, outcomes)
    assert tally.finished == 6
    assert [name for name, _ in tally.failed] == ["poison.in"]
    check_whole(out, names)


def test_a_node_that_is_killed_loses_nothing(cluster: Cluster, inputs: Path, out: Path, write: Write):
    names = [f"v{number}" for number in range(12)]
    for name in names:
        write(name, *["sleep 0.2"] * 4)
    outcomes: list[TryOutcome] = []
    victim = raylet_of(cluster, 2)
    killer = during(lambda: [os.kill(pid, signal.SIGKILL) for pid in family(victim)], outcomes, 2)
    tally = work_off(cluster.address, inputs, out, outcomes)
    killer.join()
    assert (tally.finished, tally.failed) == (12, [])
    check_whole(out, names)


def test_a_node_that_freezes_loses_nothing_and_spoils_nothing_when_it_thaws(
    cluster: Cluster, inputs: Path, out: Path, write: Write
):
    names = [f"v{number}" for number in range(9)]
    for name in names:
        write(name, *["sleep 0.3"] * 4)
    outcomes: list[TryOutcome] = []
    frozen: list[int] = []

    def freeze() -> None:
        for pid in family(raylet_of(cluster, 2)):
            os.kill(pid, signal.SIGSTOP)
            frozen.append(pid)

    freezer = during(freeze, outcomes, 1)
    try:
        tally = work_off(cluster.address, inputs, out, outcomes)
    finally:
        freezer.join()
        for pid in frozen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    assert (tally.finished, tally.failed) == (9, [])
    check_whole(out, names)


@pytest.mark.parametrize(
    ("address", "told"),
    [("127.0.0.1:1", "no Ray cluster answers there"), ("somewhere", "expected HOST:PORT")],
)
def test_an_address_where_no_cluster_is_is_told_before_work_starts(tmp_path: Path, address: str, told: str):
    with pytest.raises(ConfigError, match=told):
        RayBackend(TASK, tmp_path, address=address)


def test_a_machine_with_another_version_is_refused_before_work_starts(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    ours = {**versions_here(), "openvino": "1.2.3"}
    monkeypatch.setattr(ray_cluster, "versions_here", lambda: ours)
    with pytest.raises(ConfigError, match=r"has another openvino than this machine: .*, here 1\.2\.3"):
        RayBackend(TASK, tmp_path, address=cluster.address)


def test_a_second_start_makes_what_a_killed_driver_has_left(
    cluster: Cluster, inputs: Path, out: Path, write: Write
):
    names = [f"v{number}" for number in range(9)]
    for name in names:
        write(name, *["sleep 0.2"] * 4)
    command = [sys.executable, "-m", "tests.app.batch.test_ray_cluster", inputs, out, cluster.address]
    driver = subprocess.Popen([str(word) for word in command], cwd=ROOT)
    done = Manifest(BatchFolder(out))
    until(lambda: len(list(done.all_finished())) >= 2)
    driver.kill()
    driver.wait()
    outcomes: list[TryOutcome] = []
    tally = work_off(cluster.address, inputs, out, outcomes)
    assert tally.failed == []
    assert finished(outcomes) <= 7
    check_whole(out, names)


if __name__ == "__main__":
    work_off(sys.argv[3], Path(sys.argv[1]), Path(sys.argv[2]), [])
