"""Streams, events and pinned memory of a device: what the CUDA detector needs of them, and CUDA's own.

Work that is enqueued on one stream runs in its order; between streams nothing but an event makes an order.
The tests put a stand-in of the same interface in CUDA's place, which defers all work and then runs it in
unkind orders. That shows which waits are needed, not that CUDA does what it is asked to: `CudaStreams` was
never run on a GPU so far.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch
from torch import Tensor


class DeviceEvent(Protocol):
    """A point in a stream's work: what is used of `torch.cuda.Event`, under the names that it has there."""

    def record(self) -> None:
        """Set the point after all work of the current stream so far."""

    def wait(self) -> None:
        """Make the current stream wait for that point before its next work. The host does not wait."""

    def synchronize(self) -> None:
        """Make the host wait until that point is reached."""

    def elapsed_time(self, end_event: Any) -> float:
        """Milliseconds from this point to another event's. Both have been reached, in any streams."""


class DeviceStreams(Protocol):
    """The streams of one device."""

    def stream(self, name: str) -> AbstractContextManager[object]:
        """A context in which work on the device is enqueued on the stream of that name."""

    def event(self) -> DeviceEvent:
        """A new event, not recorded yet."""

    def pinned(self, size: int) -> Tensor:
        """[size] uint8 on the host, in memory that the device copies from and to while the host goes on."""


class CudaStreams:
    """`DeviceStreams` of a CUDA device; each begins after what the thread's current stream holds by then."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._streams: dict[str, torch.cuda.Stream] = {}

    def stream(self, name: str) -> AbstractContextManager[object]:
        """See `DeviceStreams.stream`. The name is all that there is to a stream: the first use makes it."""
        if name not in self._streams:
            made = torch.cuda.Stream(self._device)
            # weights are still on their way there
            made.wait_stream(torch.cuda.current_stream(self._device))
            self._streams[name] = made
        return torch.cuda.stream(self._streams[name])

    def event(self) -> DeviceEvent:
        """See `DeviceStreams.event`. It sleeps while the host waits: decoder and encoder need the core."""
        return torch.cuda.Event(enable_timing=True, blocking=True)

    def pinned(self, size: int) -> Tensor:
        """See `DeviceStreams.pinned`."""
        with torch.cuda.device(self._device):
            return torch.empty(size, dtype=torch.uint8, pin_memory=True)
