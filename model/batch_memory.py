"""Whether a batch fits into this machine's memory, asked before anything is allocated for it."""

from __future__ import annotations

import os
from pathlib import Path

from model.errors import ConfigError

_BYTES = 12  # of one pixel of an input: three channels in float32
_INSIDE = 8  # what a network holds of an image between its layers, as a multiple of its input; measured


def available_memory(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """Bytes that can be had without swapping, as far as the system tells; None where it does not."""
    try:
        for line in meminfo.read_text().splitlines():
            name, _, size = line.partition(":")
            if name == "MemAvailable":
                return int(size.split()[0]) * 1024
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError, AttributeError, IndexError):
        return None


def check_batch(batch: int, streams: int, image_size: int, free: int | None = None) -> None:
    """Raise ConfigError where so many inputs of that side, in so many batches at a time, cannot be held.

    free: bytes of memory; None to ask the system
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
    """Raise ConfigError where the frames of so many batches, of (height, width) pixels, cannot be held.

    Each is there as it came and as it is drawn on.
    """
    free = available_memory() if free is None else free
    one = (streams + 1) * size[0] * size[1] * 3 * 2
    if free is None or batch == 1 or batch * one <= free:
        return
    raise ConfigError(
        f"batches of {batch} frames of {size[1]} x {size[0]} need about {batch * one / 1e9:.1f} GB of "
        f"memory, and {free / 1e9:.1f} GB are free; a batch of {max(free // one, 1)} fits"
    )
