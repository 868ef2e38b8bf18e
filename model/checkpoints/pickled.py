"""The pickle of a weights file as bytes, which is searched and not read; imports no torch."""

from __future__ import annotations

import zipfile
from pathlib import Path

from model.checkpoints.claims import index_of, is_archive

_SEARCHED = 1 << 20  # bytes


def pickled(path: Path) -> bytes:
    """Return the first megabyte of the file's pickle, as bytes.

    Raises OSError, CheckpointError, and whatever `zipfile` raises on a broken archive.
    """
    with path.open("rb") as file:
        if not is_archive(file):
            file.seek(0)
            return file.read(_SEARCHED)
        with zipfile.ZipFile(file) as archive, archive.open(index_of(archive)) as stream:
            return stream.read(_SEARCHED)
