"""Names of the files that are made while somebody watches."""

from __future__ import annotations

import datetime
import re
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from pipeline.sources.base import SourceInfo

_UNFIT = re.compile(r"[^\w.-]+")  # what some file system refuses, and what a shell would have quoted
_LONGEST = 60  # letters of a source's name
_REMEMBERED = 64


class OutputNames:
    """`<source>_2026-11-21_14-03-22.mp4`: names that are nobody's yet. Any thread may ask.

    A name that was given lately is not given again, for its file may be on its way under another name.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given: deque[Path] = deque(maxlen=_REMEMBERED)

    def new(self, folder: Path, source: str, suffixes: Sequence[str]) -> tuple[Path, ...]:
        """Paths in the folder that differ in their suffix alone, none of which is there.

        source: what they are called after; see `stem_of`
        """
        stem = f"{source}_{datetime.datetime.now():%Y-%m-%d_%H-%M-%S}"
        number = 1
        with self._lock:
            while True:
                mark = f"_{number}" if number > 1 else ""
                paths = tuple(folder / f"{stem}{mark}{suffix}" for suffix in suffixes)
                if not any(path.exists() or path in self._given for path in paths):
                    self._given.extend(paths)
                    return paths
                number += 1


def stem_of(info: SourceInfo | None) -> str:
    """What to call files after a source: a file's stem, a camera's name, an address without its secrets.

    Letters, digits, `_`, `-` and dots alone; "livemask" where nothing of that is left.
    """
    if info is None:
        return "livemask"
    name = info.name.rstrip("/\\")
    # a camera's name may have a dot in it that begins no suffix
    stem = Path(info.path or name).stem if info.path or re.search(r"[/\\]", name) else name
    return _UNFIT.sub("_", stem)[:_LONGEST].strip("_.-") or "livemask"
