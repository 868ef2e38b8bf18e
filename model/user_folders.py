"""Folders of the current user, who may have no home or account, as in some containers."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def expanded(path: str | Path) -> Path:
    """Return a path with its `~` expanded, or as it is where the home is unknown."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def own_folder(find: Callable[[], str | Path]) -> Path:
    """Return the folder that `find` gives, with `~` expanded, or a temporary one where the home is unknown.

    find: may raise RuntimeError without a home, as platformdirs does

    The temporary folder is created for this user only; an existing one that others can write to is not used.
    """
    try:
        return Path(find()).expanduser()
    except RuntimeError:
        return _without_a_home()


def without_a_home() -> bool:
    """Return True if this user's home is unknown and LIVEMASK_HOME is not set: a temporary folder is used."""
    if os.environ.get("LIVEMASK_HOME"):
        return False
    try:
        Path.home()
    except RuntimeError:
        return True
    return False


def _without_a_home() -> Path:
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"livemask-{user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        about = folder.lstat()
    except OSError:
        return folder  # whoever writes there says that it cannot
    is_own = hasattr(os, "getuid") and about.st_uid == user and not about.st_mode & 0o022
    return folder if is_own and not folder.is_symlink() else Path(tempfile.mkdtemp(prefix="livemask-"))
