"""Folders of the user who runs this, who need not have a home or an account, as in some containers."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def expanded(path: str | Path) -> Path:
    """A path with its `~` replaced; as it is where nobody knows whose home that is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def own_folder(find: Callable[[], str | Path]) -> Path:
    """A folder of this user: what `find` gives, with `~` replaced or, without a home, a temporary one.

    find: may raise RuntimeError for want of a home, as platformdirs does

    The temporary folder is made, for this user alone; one of that name which others can write to is left.
    """
    try:
        return Path(find()).expanduser()
    except RuntimeError:
        return _without_a_home()


def without_a_home() -> bool:
    """Whether nobody knows this user's home and no other folder was named, so that a temporary one serves."""
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
