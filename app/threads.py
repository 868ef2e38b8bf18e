"""How the cores are shared out."""

from __future__ import annotations

import os

MOST_STREAMS = 8


def streams_for_files() -> int:
    """Batches to compute side by side for the most frames a second: one a core, within reason."""
    return min(os.cpu_count() or 1, MOST_STREAMS)
