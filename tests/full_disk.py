"""A disk that is full, as far as this process is concerned."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """Within the context the system refuses to write a file beyond `size` bytes."""
    resource = pytest.importorskip("resource", reason="limits on files are POSIX")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
