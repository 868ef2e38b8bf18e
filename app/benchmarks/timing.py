"""Timing things against each other on a machine that is never quite quiet."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

WARM_UPS = 3


def milliseconds(things: Mapping[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """Median milliseconds of one call of each, called in turn so that a disturbance meets all alike.

    seconds: to spend on each of them; at least five calls are made
    """
    for call in things.values():
        for _ in range(WARM_UPS):
            call()
    taken: dict[str, list[float]] = {name: [] for name in things}
    deadline = time.perf_counter() + seconds * len(things)
    while time.perf_counter() < deadline or min(map(len, taken.values())) < 5:
        for name, call in things.items():
            begun = time.perf_counter()
            call()
            taken[name].append(1000 * (time.perf_counter() - begun))
    return {name: statistics.median(times) for name, times in taken.items()}
