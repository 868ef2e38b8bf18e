"""Files below a folder and under a pattern: each once, whatever links lead in a circle."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

_ANY_DEPTH = "**"


def below(folder: Path) -> Iterator[Path]:
    """Yield the entries of a folder and of its subfolders, hidden folders left out, each folder once."""
    for deeper in _folders(folder):
        yield from deeper.iterdir()


def matches(pattern: str) -> Iterator[Path]:
    """Yield the paths that match a pattern with `*`, `?`, `[…]` and `**`; `**` goes into each folder once."""
    parts = Path(pattern).parts
    if _ANY_DEPTH not in parts:
        # Path.glob takes no absolute patterns and stumbles over ".."
        yield from map(Path, glob.iglob(pattern))  # noqa: PTH207
        return
    at = parts.index(_ANY_DEPTH)
    rest = parts[at + 1 :] or ("*",)
    starts = glob.iglob(str(Path(*parts[:at]))) if at else ["."]  # noqa: PTH207
    for start in starts:
        for folder in _folders(Path(start)):
            yield from matches(str(Path(glob.escape(str(folder)), *rest)))


def each_once(paths: Iterable[Path]) -> Iterator[Path]:
    """The paths, of several that lead to one file the first; what cannot be looked at passes."""
    known: set[tuple[int, int]] = set()
    for path in paths:
        try:
            about = path.stat()
        except OSError:
            yield path
            continue
        if (about.st_dev, about.st_ino) not in known:
            known.add((about.st_dev, about.st_ino))
            yield path


def counted_by_kind(paths: Iterable[Path]) -> str:
    """Return the number of files of each suffix, most first: "12 .heic, 3 .txt, 1 without a suffix"."""
    kinds = Counter(path.suffix.lower() or "without a suffix" for path in paths)
    return ", ".join(
        f"{count} {kind}" for kind, count in sorted(kinds.items(), key=lambda one: (-one[1], one[0]))
    )


def _folders(start: Path) -> Iterator[Path]:
    """A folder and all below it, hidden ones left out, each once, also where links lead back."""
    known: set[tuple[int, int]] = set()
    for name, folders, _ in os.walk(start, followlinks=True):
        about = Path(name).stat()
        if (about.st_dev, about.st_ino) in known:
            folders.clear()
            continue
        known.add((about.st_dev, about.st_ino))
        folders[:] = sorted(folder for folder in folders if not folder.startswith("."))
        yield Path(name)
