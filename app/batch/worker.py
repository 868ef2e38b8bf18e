"""The process of a worker: orders in, outcomes and signs of life out, through one pipe."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from app.batch.attempt import attempt
from app.batch.records import Order, TryOutcome
from app.batch.tasks import load_task
from model.errors import LiveMaskError

BEAT = 1.0  # seconds between two signs of life
READY = "ready"
ALIVE = "alive"

Message = TryOutcome | str
"""An outcome, `READY`, `ALIVE`, or the reason why the worker cannot begin."""


def serve(pipe: Connection, task_name: str, out: str, cores: tuple[int, ...]) -> None:
    """Work off orders until the other end of the pipe closes, by whatever end of its process; then end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the driver, which ends its workers
    pin(cores)
    lock = threading.Lock()

    def say(message: Message) -> None:
        with lock:
            try:
                pipe.send(message)
            except OSError:
                os._exit(1)  # nobody wants the work any more, and another one may do it already

    threading.Thread(target=_beat, args=(say,), name="livemask beat", daemon=True).start()
    try:
        task = load_task(task_name, Path(out))
    except LiveMaskError as error:
        say(str(error))
        return
    orders = _Orders(pipe)
    say(READY)
    while True:
        say(attempt(orders.take(), task))


def pin(cores: tuple[int, ...]) -> None:
    """Give this process some cores, and one thread to libraries that compute otherwise with another number.

    cores: numbers of cores; () leaves the choice to the system. OpenVINO, OpenCV, decoders and encoders take
    as many threads as there are cores to use. PyTorch's sums depend on the number of its threads.
    """
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"  # read when the libraries are loaded
    if cores and sys.platform == "linux":
        os.sched_setaffinity(0, cores)


class _Orders:
    """Reads the pipe all the time, so that its end is noticed in the middle of work."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._waiting: deque[Order] = deque()
        self._come = threading.Semaphore(0)
        threading.Thread(target=self._read, name="livemask orders", daemon=True).start()

    def take(self) -> Order:
        """Wait for the next order."""
        self._come.acquire()
        return self._waiting.popleft()

    def _read(self) -> None:
        while True:
            try:
                self._waiting.append(self._pipe.recv())
            except (EOFError, OSError):
                os._exit(0)  # at once: whoever gave the orders is gone
            self._come.release()


def _beat(say: Callable[[Message], None]) -> None:
    while True:
        say(ALIVE)
        time.sleep(BEAT)
