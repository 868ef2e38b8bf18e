"""Memory: check that a batch fits before it is allocated; return what was freed to the system."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from pathlib import Path

from model.errors import ConfigError

_BYTES = 12  # of one pixel of an input: three channels in float32
_INSIDE = 8  # what a network holds of an image between its layers, as a multiple of its input; measured


def available_memory(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """Return the memory that is free without swapping, in bytes; None where the system does not tell."""
    try:
        for line in meminfo.read_text().splitlines():
            name, _, size = line.partition(":")
            if name == "MemAvailable":
                return int(size.split()[0]) * 1024
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError, AttributeError, IndexError):
        return None


def check_batch(batch: int, streams: int, image_size: int, free: int | None = None) -> None:
    """Raise ConfigError when a batch of inputs does not fit into memory.

    batch:      images a batch
    streams:    batches that are computed at a time
    image_size: side of the input in pixels
    free:       free memory in bytes; None asks the system
    """
    free = available_memory() if free is None else free
    one = streams * image_size * image_size * _BYTES * (1 + _INSIDE)
    if free is None or batch == 1 or batch * one <= free:
        return
    raise ConfigError(
        f"a batch of {batch} frames needs about {batch * one / 1e9:.1f} GB of memory, and {free / 1e9:.1f} "
        f"GB are free; a batch of {max(free // one, 1)} fits, and more than 8 at a time hardly make it faster"
    )


def check_frames(batch: int, streams: int, size: tuple[int, int], free: int | None = None) -> None:
    """Raise ConfigError when the frames of `streams` + 1 batches, of (height, width) pixels, do not fit.

    Each frame is held twice: as decoded and as drawn on. `free` as in `check_batch`.
    """
    free = available_memory() if free is None else free
    one = (streams + 1) * size[0] * size[1] * 3 * 2
    if free is None or batch == 1 or batch * one <= free:
        return
    raise ConfigError(
        f"batches of {batch} frames of {size[1]} x {size[0]} need about {batch * one / 1e9:.1f} GB of "
        f"memory, and {free / 1e9:.1f} GB are free; a batch of {max(free // one, 1)} fits"
    )


def give_back_memory() -> None:
    """Return free memory of the C library to the system; nothing is done where it is not glibc.

    Each thread takes memory from an arena of its own, and glibc keeps what is freed there: what frees many
    large blocks, such as the pictures of a run, calls this behind itself.
    """
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)
