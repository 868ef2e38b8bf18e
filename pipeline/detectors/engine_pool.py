"""One engine for several sources at a time: frames of different sources go through the network together."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np

from model.host.outputs import Floats, HostEngine, ImageOutputs

Outputs = list[ImageOutputs]


class _Request(NamedTuple):
    images: Floats  # [B, 3, h, w]
    outputs: Future[Outputs]


class _Running(NamedTuple):
    """A batch on its way through the network, and whose it is."""

    wait: Callable[[], Outputs]
    requests: Sequence[_Request]


class EnginePool:
    """Shares an engine among sources, each of which asks it in a thread of its own.

    Whatever waits when the engine has room makes the next batch: the oldest request of each source in turn,
    of one shape. The source behind the last one served comes first, so that none starves another, and a
    source that stops asking costs the others nothing.

    engine: used by this pool alone from now on
    most:   images that go through the network together
    """

    def __init__(self, engine: HostEngine, most: int) -> None:
        if most < 1:
            raise ValueError(f"expected at least one image a batch, got {most}")
        self.engine = engine
        self._most = most
        self._waiting: deque[PooledEngine] = deque()  # those with requests, the next one to serve first
        self._changed = threading.Condition()
        self._closed = False
        self._room = threading.Semaphore(engine.slots)
        self._running: SimpleQueue[_Running | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=job, name=f"livemask pool {name}", daemon=True)
            for name, job in (("start", self._start_batches), ("finish", self._finish_batches))
        ]
        for thread in self._threads:
            thread.start()

    def seat(self, slots: int = 1) -> PooledEngine:
        """Return the engine as one source sees it, which may have `slots` requests on their way at a time."""
        return PooledEngine(self, slots)

    def close(self) -> None:
        """End the threads; requests that still wait are cancelled. More than once does no harm."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ask(self, seat: PooledEngine, request: _Request) -> None:
        """Put a request behind the others of its source. Raises RuntimeError once the pool is closed."""
        with self._changed:
            if self._closed:
                raise RuntimeError("the engine pool is closed")
            if not seat.requests:
                self._waiting.append(seat)
            seat.requests.append(request)
            self._changed.notify_all()

    def _start_batches(self) -> None:
        try:
            while True:
                self._room.acquire()
                requests = self._next_batch()
                if not requests:
                    return
                try:
                    wait = self.engine.start(np.concatenate([request.images for request in requests]))
                except Exception as error:
                    _fail(requests, error)
                    self._room.release()
                else:
                    self._running.put(_Running(wait, requests))
        finally:
            self._running.put(None)

    def _next_batch(self) -> list[_Request]:
        """Return the next batch, waiting for one; empty once the pool is closed."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            if self._closed:
                for seat in self._waiting:
                    for request in seat.requests:
                        request.outputs.cancel()
                return []
            return self._taken()

    def _taken(self) -> list[_Request]:
        """Take one request of each waiting source, as far as they are of one shape and there is room."""
        taken: list[_Request] = []
        passed: list[PooledEngine] = []
        served: list[PooledEngine] = []
        shape = self._waiting[0].requests[0].images.shape[1:]
        while self._waiting:
            seat = self._waiting.popleft()
            images = seat.requests[0].images
            count = sum(len(request.images) for request in taken) + len(images)
            if images.shape[1:] != shape or (taken and count > self._most):
                passed.append(seat)
                continue
            taken.append(seat.requests.popleft())
            served.append(seat)
        self._waiting.extend(passed)
        self._waiting.extend(seat for seat in served if seat.requests)
        return taken

    def _finish_batches(self) -> None:
        """Hand out outputs in the order in which batches were started, as engines want it."""
        while (running := self._running.get()) is not None:
            try:
                outputs = [_copied(one) for one in running.wait()]
            except Exception as error:
                _fail(running.requests, error)
            else:
                for request in running.requests:
                    own, outputs = outputs[: len(request.images)], outputs[len(request.images) :]
                    request.outputs.set_result(own)
            finally:
                self._room.release()


class PooledEngine:
    """A shared engine as one source sees it. See `EnginePool` and `model.host.outputs.HostEngine`."""

    def __init__(self, pool: EnginePool, slots: int) -> None:
        engine = pool.engine
        self.name, self.precision, self.device = engine.name, engine.precision, engine.device
        self.slots = slots
        self.requests: deque[_Request] = deque()  # the pool's, guarded by its lock
        self._pool = pool

    def start(self, images: Floats) -> Callable[[], Outputs]:
        """See `Engine.start`. An error of the network is raised in every source whose frame it held."""
        request = _Request(images, Future())
        self._pool.ask(self, request)
        return request.outputs.result


def _fail(requests: Sequence[_Request], error: Exception) -> None:
    for request in requests:
        request.outputs.set_exception(error)


def _copied(outputs: ImageOutputs) -> ImageOutputs:
    """Return outputs in memory of their own: the engine goes on to write before a source has read."""
    levels = outputs.levels
    return ImageOutputs(
        outputs.box_deltas.copy(),
        outputs.class_logits.copy(),
        outputs.mask_coefficients.copy(),
        None if outputs.prototypes is None else outputs.prototypes.copy(),
        None if levels is None else tuple(level.copy() for level in levels),
    )
