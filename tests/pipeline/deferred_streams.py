"""`DeviceStreams` on the CPU that put all work off and run it later, in any order that the events allow.

What a GPU might do at some time is done here on purpose, and the same way again for the same `Schedule`:
work runs at once or only when the host waits for it, a stream overtakes another or falls behind. Memory is
filled with poison (`pretended_device.POISON`) before it is used and when it goes back to its stream, so that
a wait that is missing shows in the results. What it cannot show is what CUDA itself does.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

import torch
from torch import Tensor

from tests.pipeline.pretended_device import PretendedDevice, fill_with_poison

Step = Callable[[], object]


@dataclass(frozen=True)
class Schedule:
    """What a device does when it is free to choose.

    eager: the share of occasions, 0..1, on which it takes a step that nobody waits for yet, in a stream that
           is drawn by chance
    late:  streams that the others get ahead of: these take no step that nobody waits for
    """

    eager: float = 0.0
    late: tuple[str, ...] = ()
    seed: int = 0


LAZY = Schedule()
"""Nothing happens before the host waits for it, and then only what it waits for: each missing wait shows."""


class DeferredStreams:
    """See `DeviceStreams`. One thread.

    synchronisations: how often the host waited for an event
    hidden:           what else made the host wait, such as looking at a value
    """

    def __init__(self, schedule: Schedule = LAZY) -> None:
        self._schedule = schedule
        self._random = random.Random(schedule.seed)
        self._queues: dict[str, deque[Step | _Wait]] = {}
        self._current: str | None = None
        self._pinned: list[Tensor] = []
        self.device = PretendedDevice(self)
        self.synchronisations = 0
        self.hidden: list[str] = []

    @contextmanager
    def stream(self, name: str) -> Iterator[None]:
        before, self._current = self._current, name
        try:
            with self.device:
                yield
        finally:
            self._current = before

    def event(self) -> DeferredEvent:
        return DeferredEvent(self)

    def pinned(self, size: int) -> Tensor:
        self._pinned.append(fill_with_poison(torch.empty(size, dtype=torch.uint8)))
        return self._pinned[-1]

    @property
    def pinned_bytes(self) -> int:
        """All that was ever asked for."""
        return sum(len(memory) for memory in self._pinned)

    @property
    def current(self) -> str:
        assert self._current is not None, "work on the device outside of any stream"
        return self._current

    def is_pinned(self, tensor: Tensor) -> bool:
        address = tensor.untyped_storage().data_ptr()
        return any(address == known.untyped_storage().data_ptr() for known in self._pinned)

    def put(self, step: Step | _Wait, stream: str | None = None) -> None:
        """Give a stream, the current one by default, something to do."""
        self._queues.setdefault(stream or self.current, deque()).append(step)

    def maybe_work(self) -> None:
        """An occasion to work although the host waits for nothing."""
        while (name := self._unforced()) is not None:
            self._step(name)

    def wait_for(self, event: DeferredEvent) -> None:
        """Work until the event is reached."""
        while event.reached is None:
            self._step(self._unforced() or self._needed(event))

    def wait_hidden(self, what: str) -> None:
        """The host waits for the current stream, which nobody asked for."""
        self.hidden.append(what)
        event = self.event()
        event.record()
        self.wait_for(event)

    def _unforced(self) -> str | None:
        """A stream that takes a step because it can, if any does."""
        if self._random.random() >= self._schedule.eager:
            return None
        ready = [
            name
            for name, steps in self._queues.items()
            if steps and not _is_blocked(steps[0]) and name not in self._schedule.late
        ]
        return self._random.choice(ready) if ready else None

    def _needed(self, event: DeferredEvent) -> str:
        """The stream whose next step the event waits for in the end."""
        assert event.stream is not None, "waits for an event that nobody has recorded"
        head = self._queues[event.stream][0]
        return self._needed(head.event) if isinstance(head, _Wait) and _is_blocked(head) else event.stream

    def _step(self, name: str) -> None:
        step = self._queues[name].popleft()
        if not isinstance(step, _Wait):
            step()


class DeferredEvent:
    """See `DeviceEvent`. `reached` is when its stream came to it, in seconds of `time.monotonic()`."""

    def __init__(self, streams: DeferredStreams) -> None:
        self._streams = streams
        self.stream: str | None = None
        self.reached: float | None = None

    def record(self) -> None:
        assert self.stream is None, "an event is recorded once here"
        self.stream = self._streams.current
        self._streams.put(self._reach)
        self._streams.maybe_work()

    def wait(self) -> None:
        assert self.stream is not None, "waits for an event that nobody has recorded"
        self._streams.put(_Wait(self))

    def synchronize(self) -> None:
        self._streams.synchronisations += 1
        self._streams.wait_for(self)

    def elapsed_time(self, end_event: DeferredEvent) -> float:
        assert self.reached is not None, "the time of an event that is not reached yet"
        assert end_event.reached is not None, "the time of an event that is not reached yet"
        return 1e3 * (end_event.reached - self.reached)

    def _reach(self) -> None:
        self.reached = monotonic()


@dataclass(frozen=True)
class _Wait:
    """A stream goes on once the event is reached."""

    event: DeferredEvent = field(repr=False)


def _is_blocked(step: Step | _Wait) -> bool:
    return isinstance(step, _Wait) and step.event.reached is None
