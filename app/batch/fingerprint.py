"""The identity of an input, without reading all of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from app.batch.records import Fingerprint
from model.errors import SourceError

WHOLE = 1 << 20  # bytes up to which all is read
PART = 1 << 16  # bytes of a sample
PARTS = 8  # from the first bytes to the last


def fingerprint_of(path: Path) -> Fingerprint:
    """Return the fingerprint of a file, or raise SourceError.

    A change in the middle of a large file that keeps its size and its time may pass unseen.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            places = [0] if size <= WHOLE else [(size - PART) * n // (PARTS - 1) for n in range(PARTS)]
            for place in places:
                file.seek(place)
                digest.update(file.read(WHOLE if size <= WHOLE else PART))
        return Fingerprint(size, path.stat().st_mtime_ns // 1000, digest.hexdigest())
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from error
