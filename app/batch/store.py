"""The folder of a batch's records, in which every file is written once: whole and on the disk, or not at all.

There is no database, for the locks of one do not hold on network drives. What holds everywhere is that `link`
refuses a name that is taken.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.atomic import sync
from model.errors import SinkError
from pipeline.sinks.part_file import cannot_be_written

HIDDEN = ".batch"  # in the output folder; hidden, so that a search for inputs passes it by
DRAFT = ".draft"
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


@dataclass(frozen=True)
class BatchFolder:
    """The places of a batch's files below its output folder."""

    out: Path

    @property
    def root(self) -> Path:
        """The folder of the records."""
        return self.out / HIDDEN

    @property
    def plans(self) -> Path:
        """The folder of what was to be made, a file for each set of videos."""
        return self.root / "plans"

    @property
    def claims(self) -> Path:
        """The folder of the claims of those who work."""
        return self.root / "claims"

    @property
    def work(self) -> Path:
        """The folder of outputs that are not whole yet."""
        return self.root / "work"

    def settings(self, name: str) -> Path:
        """Return the record of settings of that name."""
        return self.root / "settings" / f"{name}.json"

    def finished(self, key: str) -> Path:
        """Return the record of a finished video; those of one name are in one folder, one of 256."""
        return self.root / "done" / key[:2] / f"{key}.json"

    def failure(self, key: str, number: int) -> Path:
        """Return the record of a video's try that failed, counted from 1."""
        return self.root / "failed" / key[:2] / f"{key}.{number}.json"


def write_once(path: Path, record: Mapping[str, Any], lasting: bool = True) -> bool:
    """Write a json object unless there is a file of that name; return whether it was written.

    Of several that write at a time exactly one is told True. Folders are made as needed. Raises SinkError.

    lasting: bring it to the disk; without, a loss of power may leave the file away, or empty
    """
    text = json.dumps(record, indent=1).encode() + b"\n"
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}{DRAFT}")
    with cannot_be_written(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with draft.open("xb") as file:
                file.write(text)
                if lasting:
                    sync(file)
            _link(draft, path)
        except FileExistsError:
            # a network drive that answers twice refuses what it has just done
            return draft.stat().st_nlink > 1
        finally:
            draft.unlink(missing_ok=True)
        if lasting:
            sync_folder(path.parent)
    return True


def _link(draft: Path, path: Path) -> None:
    """Give a file a second name, which must be free. Raises OSError, SinkError where a drive has no links."""
    try:
        os.link(draft, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        raise SinkError(
            f"{path.parent}: this drive knows no hard links, by which the workers of a batch agree; choose "
            "an output folder on another one"
        ) from error


def read_record(path: Path) -> dict[str, Any] | None:
    """Return the json object in a file; None where there is no such file, or something else in it."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
