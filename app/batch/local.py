"""Workers on this machine: a process each, with cores of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from app.batch.records import LOST, Order, TryOutcome
from app.batch.worker import ALIVE, READY, serve
from app.threads import MOST_STREAMS, usable_cores
from model.errors import LiveMaskError

CORES_EACH = 4  # with which a worker is fast; more of them do more as a further worker
STALL = 30.0  # seconds without a sign of life after which a worker is ended
MOST_FALSE_STARTS = 3  # workers that end before they can begin, one after another


class LocalBackend:
    """Processes of this machine, spawned, that run a task. See `Backend`.

    workers: how many; None for one for each `CORES_EACH` cores
    orders:  how many there will be: no more workers than that are started
    stall:   as `STALL`
    """

    def __init__(
        self, task: str, out: Path, workers: int | None = None, orders: int = 1, stall: float = STALL
    ) -> None:
        self.slots = max(1, min(workers or default_workers(), orders))
        self._task, self._out, self._stall = task, out, stall
        self._false_starts = 0
        self._workers = [self._start(number) for number in range(self.slots)]

    def submit(self, order: Order) -> None:
        """See `Backend.submit`."""
        next(worker for worker in self._workers if worker.order is None).give(order)

    def wait(self, timeout: float) -> Sequence[TryOutcome]:
        """See `Backend.wait`."""
        places = [place for one in self._workers for place in (one.pipe, one.process.sentinel)]
        wait(places, timeout)
        outcomes: list[TryOutcome] = []
        for number, worker in enumerate(self._workers):
            outcomes += self._heard(worker)
            end = worker.end(self._stall)
            if end is not None:
                outcomes += self._heard(worker)  # what it said last
                outcomes += self._replace(number, worker, end)
        return outcomes

    def close(self) -> None:
        """See `Backend.close`."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
            worker.pipe.close()
        self._workers = []

    def _start(self, number: int) -> _Worker:
        here, there = get_context("spawn").Pipe()
        arguments = (there, self._task, str(self._out), share_of(number, self.slots))
        process = get_context("spawn").Process(
            target=serve, args=arguments, name=f"livemask worker {number + 1}", daemon=True
        )
        process.start()
        there.close()
        return _Worker(process, here)

    def _heard(self, worker: _Worker) -> list[TryOutcome]:
        """Return the outcomes that a worker has told of."""
        outcomes = []
        for message in worker.messages():
            if isinstance(message, TryOutcome):
                outcomes.append(message)
                worker.order = None
            elif message == READY:
                worker.is_ready = True
                self._false_starts = 0
            elif message != ALIVE:
                raise LiveMaskError(message)
        return outcomes

    def _replace(self, number: int, worker: _Worker, end: str) -> list[TryOutcome]:
        worker.process.join()
        worker.pipe.close()
        self._false_starts += not worker.is_ready
        if self._false_starts >= MOST_FALSE_STARTS:
            raise LiveMaskError(f"workers end before they can begin: {end}")
        self._workers[number] = self._start(number)
        if worker.order is None:
            return []
        if not worker.is_ready:  # whatever it was, it was not the video
            self._workers[number].give(worker.order)
            return []
        return [TryOutcome(worker.order.video.key, LOST, end)]


class _Worker:
    """A process and this end of its pipe. order: what it works on."""

    def __init__(self, process: BaseProcess, pipe: Connection) -> None:
        self.process, self.pipe = process, pipe
        self.order: Order | None = None
        self.is_ready = False
        self._heard = time.monotonic()

    def give(self, order: Order) -> None:
        self.order = order
        with contextlib.suppress(OSError):  # it is gone, which `end` will tell
            self.pipe.send(order)

    def messages(self) -> list[TryOutcome | str]:
        """Return what it has said since the last call."""
        found: list[TryOutcome | str] = []
        with contextlib.suppress(EOFError, OSError):
            while self.pipe.poll():
                found.append(self.pipe.recv())
                self._heard = time.monotonic()
        return found

    def end(self, stall: float) -> str | None:
        """Return how the process has ended, or None; one that gave no sign of life for too long is killed."""
        silent = time.monotonic() - self._heard
        if self.process.is_alive():
            if silent < stall or self.pipe.poll():
                return None
            self.process.kill()
            self.process.join()
            return f"its worker gave no sign of life for {silent:.0f} s and was ended"
        return f"its worker ended: {_told(self.process.exitcode or 0)}"


def default_workers() -> int:
    """Return how many workers this machine is given: one for each `CORES_EACH` cores that may be used."""
    return max(1, usable_cores() // CORES_EACH)


def share_of(number: int, workers: int) -> tuple[int, ...]:
    """Return the cores of a worker, counted from 0: an equal share, at least one, at most `MOST_STREAMS`.

    With no more cores than streams, each frame is computed by one thread: then what is found does not depend
    on how many workers there are. () where the system cannot tell the cores.
    """
    if not hasattr(os, "sched_getaffinity"):
        return ()
    cores = sorted(os.sched_getaffinity(0))
    share = min(max(len(cores) // workers, 1), MOST_STREAMS)
    return tuple(cores[(number * share + n) % len(cores)] for n in range(share))


def _told(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
