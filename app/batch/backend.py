"""The protocol of what runs a batch's tries: processes of this machine, or of many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from app.batch.records import Order, TryOutcome


class Backend(Protocol):
    """Runs `app.batch.attempt.attempt` for orders, several at a time. For one thread.

    A worker loads the task once (`app.batch.tasks.load_task`), and before any other library is loaded it is
    given its threads (`app.batch.worker.pin`).
    """

    @property
    def slots(self) -> int:
        """The number of orders that it works on at a time."""

    def submit(self, order: Order) -> None:
        """Begin an order. There are never more than `slots` without an outcome."""

    def wait(self, timeout: float) -> Sequence[TryOutcome]:
        """Return the outcomes that came since the last call, within `timeout` seconds.

        A worker that ends in mid-work gives an outcome `LOST`, and another one takes its place. Raises
        LiveMaskError where no worker can be had.
        """

    def close(self) -> None:
        """End all work at once; what is not finished stays undone. More than once does no harm."""


# what --on names -> "module:class", made with a task (see `load_task`), the output folder, the number of
# workers (None for what suits the machine) and how many orders there will be
BACKENDS: dict[str, str] = {
    "local": "app.batch.local:LocalBackend",
    "ray": "app.batch.ray_cluster:RayBackend",
}
