"""`IN:OUT`, two names in one argument, where names may hold colons of their own."""

from __future__ import annotations

import os
import re
from pathlib import Path

from model.errors import ConfigError
from pipeline.sources.addresses import redacted

# beginnings whose colons are a part of the input, whatever files there are
_ADDRESS = re.compile(
    r"[a-z][a-z0-9+.-]+://(?:[^/]*@)?(?:\[[^]/]*\]|[^:/\[]*)(?::\d+(?![^:/?#]))?|camera:", re.IGNORECASE
)
_DRIVE = re.compile(r"(?:^|(?<=:))[a-z]:(?=[\\/])", re.IGNORECASE)


def split_pair(text: str) -> tuple[str, str | None]:
    """Split `IN:OUT` into its two halves; return the input and None where there is no output.

    The colons of Windows drives, of addresses (`://`, user and password, port) and of `camera:NAME` separate
    nothing. Of several others the last one does, but a name of a file that is there stays whole. Raises
    ConfigError when a half is empty.
    """
    start = _ADDRESS.match(text)
    if start is None and is_there(text):
        return text, None
    cut = _cut(text, start.end() if start else 0, by_files=start is None)
    if cut is None:
        source, output = text, None
    else:
        source, output = text[:cut], text[cut + 1 :]
    if not source or output == "":
        half = "output" if source else "input"
        raise ConfigError(f"expected IN:OUT, got {redacted(text)!r}, which lacks the {half}")
    return source, output


def _cut(text: str, begin: int, by_files: bool) -> int | None:
    """Return the index of the separating colon at or after `begin`, None where there is none."""
    colons = [i for i in range(begin, len(text)) if text[i] == ":"]
    if by_files:
        known = [i for i in colons if is_there(text[:i]) and text[i + 1 :]]
        if known:
            return known[-1]
    drives = {found.end() - 1 for found in _DRIVE.finditer(text)}
    free = [i for i in colons if i not in drives]
    if not by_files:  # an address may well hold colons of its own; an output has a suffix
        free = [i for i in free if not text[i + 1 :] or Path(text[i + 1 :]).suffix]
    return free[-1] if free else None


def is_there(text: str) -> bool:
    """Return whether a file or a folder has that name; False for a text that cannot be a name."""
    return os.path.exists(text)  # noqa: PTH110 - a Path raises where a name is too long
