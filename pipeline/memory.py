"""Memory that nobody uses any more, given back to the system."""

from __future__ import annotations

import contextlib
import ctypes
import sys


def give_back_memory() -> None:
    """Have the C library return what it keeps for later; where it is not glibc, nothing is done.

    Each thread takes memory from an arena of its own, and glibc keeps what is freed there. A run has threads
    of its own, and frees pictures by the hundred: without this, one after another adds to what is kept.
    """
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)
