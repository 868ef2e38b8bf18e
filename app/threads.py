"""The cores that work is shared out to."""

from __future__ import annotations

import os

MOST_STREAMS = 8


def streams_for_files() -> int:
    """Return how many batches side by side give the most frames a second: one a core, within reason."""
    return min(usable_cores(), MOST_STREAMS)


def usable_cores() -> int:
    """Return how many cores this process may use: in a container fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
