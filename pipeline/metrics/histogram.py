"""Durations of any number in bounded memory: a logarithmic histogram with percentiles good to 1 %."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass

import numpy as np

_LEAST = 1e-6  # seconds; what is shorter counts as this long
_MOST = 1e5  # seconds, more than a day
_RATIO = math.log(1.02)  # each bucket is 2 % wider than the one before it: its middle is at most 1 % off
_BUCKETS = math.ceil(math.log(_MOST / _LEAST) / _RATIO) + 1


@dataclass(frozen=True)
class Distribution:
    """Summary of durations in seconds. Count, total and max are exact, percentiles within 1 %; 0 if empty."""

    count: int = 0
    total: float = 0.0
    max: float = 0.0
    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0

    @property
    def mean(self) -> float:
        """The exact mean in seconds."""
        return self.total / self.count if self.count else 0.0


class Histogram:
    """Collects durations; about 10 KB however many there are. Not thread-safe."""

    def __init__(self) -> None:
        self._counts = array("Q", bytes(8 * _BUCKETS))
        self._count = 0
        self._total = 0.0
        self._max = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration. A negative one (a clock read twice out of order) counts as none at all long."""
        seconds = max(seconds, 0.0)
        self._counts[_bucket(seconds)] += 1
        self._count += 1
        self._total += seconds
        self._max = max(self._max, seconds)

    def summary(self) -> Distribution:
        """Return the distribution of the values so far. Percentiles are nearest ranks."""
        if not self._count:
            return Distribution()
        seen = np.cumsum(np.frombuffer(self._counts, np.uint64))
        ranks = np.ceil(np.array([0.5, 0.95, 0.99]) * self._count)
        p50, p95, p99 = (min(_middle(int(i)), self._max) for i in np.searchsorted(seen, ranks))
        return Distribution(self._count, self._total, self._max, p50, p95, p99)


def _bucket(seconds: float) -> int:
    if seconds <= _LEAST:
        return 0
    return min(int(math.log(seconds / _LEAST) / _RATIO), _BUCKETS - 1)


def _middle(bucket: int) -> float:
    return _LEAST * math.exp((bucket + 0.5) * _RATIO)
