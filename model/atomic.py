"""Write files whole or not at all: a draft beside the file takes its place in one step.

After a crash or a loss of power, a file holds what it held before or all that is new, never a part of it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

PARTIAL = ".partial"  # suffix of drafts, whose names begin with a dot; only a killed process leaves one
_LONGEST_STEM = 180  # bytes; most file systems allow 255 for a whole name


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file; one of that name is replaced. Its folder must exist. Raises OSError."""
    with draft(path) as unfinished:
        unfinished.write_bytes(data)


@contextmanager
def draft(path: Path) -> Iterator[Path]:
    """Yield the path of a draft, `.NAME.<unique>.partial` beside `path`, for the block to write.

    It replaces `path` when the block ends, and is removed when the block raises. Raises OSError.
    """
    unfinished = path.with_name(f".{shortened(path.name)}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        yield unfinished
        with unfinished.open("rb+") as file:
            sync(file)
        replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def draft_folder(path: Path) -> Iterator[Path]:
    """Yield the path of a draft with the name of `path`, in a folder of its own, for the block to write.

    When the block ends, every file in that folder is moved beside `path`, and `path` itself last, its older
    version having been removed first: an `.xml` never lies beside a `.bin` of another version. The folder is
    removed in any case. Missing parents of `path` are created. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{path.stem[:100]}.", suffix=".part", dir=path.parent))
    try:
        yield folder / path.name
        path.unlink(missing_ok=True)
        for part in sorted(folder.iterdir(), key=lambda part: part.name == path.name):
            with part.open("rb+") as file:
                sync(file)
            replace(part, path.parent / part.name)
    finally:
        shutil.rmtree(folder)


def sync(file: IO[Any]) -> None:
    """Write everything in an open file to the disk. Raises OSError."""
    file.flush()
    os.fsync(file.fileno())


def replace(source: Path, path: Path) -> None:
    """Rename a file or folder to `path`, replacing a file there, so that it outlasts a loss of power.

    `source` was synced and lies on the same file system. Raises OSError.
    """
    source.replace(path)
    with contextlib.suppress(OSError):  # not every system can sync a folder
        handle = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def shortened(name: str) -> str:
    """Return a file's name, cut to leave room for what is added to it."""
    encoded = os.fsencode(name)  # which need not be UTF-8
    return name if len(encoded) <= _LONGEST_STEM else encoded[:_LONGEST_STEM].decode(errors="ignore")
