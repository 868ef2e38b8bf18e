"""Workers on the machines of a Ray cluster: plain tasks, with what they load kept in their processes."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import IO, Any, NamedTuple

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from app.batch.attempt import attempt
from app.batch.claims import ClaimWatch
from app.batch.local import CORES_EACH, default_workers, share_of
from app.batch.records import LOST, Order, TryOutcome
from app.batch.store import BatchFolder, write_once
from app.batch.tasks import VideoTask, load_task
from app.batch.versions import versions_here
from app.batch.worker import pin
from model.errors import ConfigError, LiveMaskError
from model.project import ROOT

if sys.platform != "win32":
    import fcntl

STALL = 60.0  # seconds without a sign of life after which a try is given up
ANSWER = 5.0  # seconds that a cluster has to take a connection
PROBE = 60.0  # seconds that a machine has to say what it is

# What makes a cluster notice a machine that froze: by its own settings a task there is stuck for good.
ATTENTION = {
    "health_check_period_ms": 2000,
    "health_check_timeout_ms": 4000,
    "health_check_failure_threshold": 3,
    "grpc_client_keepalive_time_ms": 10000,
    "grpc_client_keepalive_timeout_ms": 10000,
    "task_events_report_interval_ms": 0,  # or the head's memory grows with every task
}


class _Running(NamedTuple):
    order: Order
    since: float  # by `time.monotonic`


class _Node(NamedTuple):
    id: str
    name: str
    cores: int
    gpus: int


class RayBackend:
    """Tasks of a Ray cluster. See `app.batch.backend.Backend`.

    workers: how many on the whole cluster; None for one for each `CORES_EACH` cores of every machine, or for
             each GPU where the cluster has some
    address: of a cluster that runs, such as `ray start` prints it; None for one of this machine alone

    Raises ConfigError where no cluster answers, where a machine has another version of the program or of a
    library that decides what is found, and where one does not see the output folder.
    """

    def __init__(
        self, task: str, out: Path, workers: int | None = None, orders: int = 1, address: str | None = None
    ) -> None:
        self._task, self._folder = task, BatchFolder(out.absolute())
        self._watch = ClaimWatch(self._folder.claims, STALL)
        self._running: dict[Any, _Running] = {}
        _connect(address)
        try:
            nodes = _nodes()
            _check(nodes, self._folder)
            self._needs, most = _shares(nodes, workers)
        except BaseException:
            ray.shutdown()
            raise
        self.slots = max(1, min(workers or most, most, orders))
        self._run = ray.remote(max_calls=0, max_retries=0, **self._needs)(_attempt)

    def submit(self, order: Order) -> None:
        """See `Backend.submit`."""
        self._running[self._run.remote(self._task, order)] = _Running(order, monotonic())

    def wait(self, timeout: float) -> Sequence[TryOutcome]:
        """See `Backend.wait`."""
        if not self._running:
            sleep(timeout)
            return []
        ready, waiting = ray.wait(list(self._running), num_returns=1, timeout=timeout)
        more, _ = ray.wait(waiting, num_returns=len(waiting), timeout=0) if waiting else ([], [])
        outcomes = [_outcome(self._running.pop(reference).order, reference) for reference in (*ready, *more)]
        return [*outcomes, *self._given_up()]

    def close(self) -> None:
        """See `Backend.close`."""
        if not ray.is_initialized():
            return
        for reference in self._running:
            with suppress(RayError, ValueError):
                ray.cancel(reference, force=True)
        self._running = {}
        ray.shutdown()

    def _given_up(self) -> list[TryOutcome]:
        """Return an outcome for each try whose claim nobody keeps up, though the cluster believes in it."""
        claims = self._watch.look()
        found = []
        for reference, (order, since) in list(self._running.items()):
            claim = claims.get(order.video.key)
            if claim is None or claim.number <= order.over or monotonic() - since < STALL:
                continue
            if not self._watch.is_dead(claim):
                continue
            del self._running[reference]
            with suppress(RayError, ValueError):
                ray.cancel(reference, force=True)
            found.append(TryOutcome(order.video.key, LOST, "its worker gave no sign of life"))
        return found


def _connect(address: str | None) -> None:
    """Join a cluster, or start one of this machine. Raises ConfigError."""
    if address is not None and address != "auto":
        _refuse_deaf(address)
    for name, value in ATTENTION.items():  # read by this process's part of Ray
        os.environ.setdefault(f"RAY_{name}", str(value))
    environment = {"env_vars": {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}}
    common: dict[str, Any] = {"log_to_driver": False, "runtime_env": environment, "configure_logging": False}
    try:
        if address is None:
            context = ray.init("local", _system_config=ATTENTION, _node_ip_address="127.0.0.1", **common)
        else:
            context = ray.init(address, **common)
    except (ConnectionError, RuntimeError, ValueError, RayError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        what = "cannot be started here" if address is None else f"does not answer at {address}"
        raise ConfigError(f"--on ray: a cluster {what}: {first}") from error
    if url := getattr(context, "dashboard_url", ""):
        print(f"dashboard: http://{url}", file=sys.stderr)


def _refuse_deaf(address: str) -> None:
    """Raise ConfigError on an address where nothing answers: Ray itself would try for many minutes."""
    host, _, port = address.rpartition("//")[2].rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigError(f"--address {address}: expected HOST:PORT, such as 192.168.0.7:6379, or auto")
    try:
        socket.create_connection((host, int(port)), timeout=ANSWER).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(f"--address {address}: no Ray cluster answers there: {error}") from error


def _nodes() -> list[_Node]:
    return [
        _Node(
            node["NodeID"],
            node.get("NodeManagerHostname") or node["NodeManagerAddress"],
            int(node["Resources"].get("CPU", 0)),
            int(node["Resources"].get("GPU", 0)),
        )
        for node in ray.nodes()
        if node["Alive"]
    ]


def _shares(nodes: Sequence[_Node], workers: int | None) -> tuple[dict[str, Any], int]:
    """Return what each task needs of a machine, and how many tasks the cluster has room for.

    A worker gets `CORES_EACH` cores, or fewer where so many workers would find no room otherwise.
    """
    if gpus := sum(node.gpus for node in nodes):
        return {"num_cpus": 1, "num_gpus": 1}, gpus
    cores = [node.cores for node in nodes if node.cores]
    if not cores:
        raise ConfigError("--on ray: the cluster has no cores")
    for each in range(min(CORES_EACH, *cores), 0, -1):
        room = sum(count // each for count in cores)
        if workers is None or room >= workers or each == 1:
            break
    return {"num_cpus": each}, room


def _check(nodes: Sequence[_Node], folder: BatchFolder) -> None:
    """Raise ConfigError on a machine that cannot do its part."""
    here, mark = versions_here(), folder.root / f"seen-{secrets.token_hex(8)}.json"
    write_once(mark, {})
    probe = ray.remote(_probe)
    try:
        for node in nodes:
            place = NodeAffinitySchedulingStrategy(node.id, soft=False)
            there = probe.options(num_cpus=0, max_retries=0, scheduling_strategy=place)
            try:
                versions, sees = ray.get(there.remote(str(mark)), timeout=PROBE)
            except RayError as error:
                told = str(error).strip().splitlines()[-1]
                raise ConfigError(
                    f"{node.name} cannot run the program, which must lie there in {ROOT} too: {told}"
                ) from error
            if not sees:
                raise ConfigError(f"{node.name} does not see the output folder {folder.out}")
            if other := [name for name in here | versions if here.get(name) != versions.get(name)]:
                name = other[0]
                raise ConfigError(
                    f"{node.name} has another {name} than this machine: "
                    f"{versions.get(name, 'none')}, here {here.get(name, 'none')}"
                )
    finally:
        mark.unlink(missing_ok=True)


def _probe(mark: str) -> tuple[dict[str, str], bool]:
    return versions_here(), Path(mark).is_file()


def _outcome(order: Order, reference: Any) -> TryOutcome:
    try:
        outcome: TryOutcome = ray.get(reference)
    except RayTaskError as error:  # of the task itself, which has caught what a video can be at fault for
        raise LiveMaskError(str(error.cause or error)) from error
    except RayError as error:
        told = (str(error).strip().splitlines() or [""])[0]
        return TryOutcome(order.video.key, LOST, f"its worker ended: {type(error).__name__}: {told}")
    return outcome


_tasks: dict[tuple[str, str], VideoTask] = {}
_seat: list[IO[str]] = []  # locked as long as this process lives


def _attempt(name: str, order: Order) -> TryOutcome:
    """Make one try; the task stays loaded for the next one in this process."""
    key = name, order.folder
    if key not in _tasks:
        pin(_cores())
        _tasks[key] = load_task(name, Path(order.folder))
    return attempt(order, _tasks[key])


def _cores() -> tuple[int, ...]:
    """Return cores that no other worker of this machine has, as long as there are some.

    Ray counts cores and gives none in particular: every worker would believe that all are its own.
    """
    workers = default_workers()
    if sys.platform == "win32":
        return ()
    for number in range(workers):
        path = Path(tempfile.gettempdir()) / f"livemask-worker-{os.getuid()}-{number}.lock"
        file = path.open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            continue
        _seat.append(file)
        return share_of(number, workers)
    return share_of(os.getpid() % workers, workers)
