"""A file that grows beside the place where it is going to stand, and takes that place when it is whole."""

from __future__ import annotations

import contextlib
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import BinaryIO

from model.atomic import replace, shortened, sync
from model.errors import SinkError

if sys.platform != "win32":  # where a file that is open cannot be removed or renamed anyway
    import fcntl

LOOK_AGAIN = 1.0  # seconds between two looks whether a part is still there
_ANY_PART = re.compile(r".+\.[0-9a-f]{8}\.part\.\w+")


class PartFile:
    """`STEM.<unique>.part.SUFFIX` beside `path`, open for writing in binary as `file`.

    Ends by exactly one of `publish`, `keep` and `discard`. The suffix stays, so that a part that was left
    behind opens with a double click. Raises SinkError when it cannot be made, when `path` exists and
    `overwrite` is False, and whenever `path` is a folder, a device, a pipe or a socket.
    """

    def __init__(self, path: Path, overwrite: bool = False) -> None:
        self.path = path
        self._overwrite = overwrite
        self._refuse_existing()
        with cannot_be_written(path):
            self.part = part_name(path)
            self.file = self.part.open("xb")
            _claim(self.file)
        self._next_look = monotonic() + LOOK_AGAIN

    def check_there(self) -> None:
        """Look, once in `LOOK_AGAIN` seconds, whether the part is still where it was made.

        The system takes what is written to a file that has no name any more, and gives it back to nobody. So
        whoever writes for hours asks this again and again. Raises SinkError.
        """
        if monotonic() < self._next_look:
            return
        self._next_look = monotonic() + LOOK_AGAIN
        try:
            self.part.lstat()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise SinkError(f"{self.path}: {removed(self.part)}") from error
        except OSError:  # a network drive that does not answer for a moment; writing to it will tell
            return

    def finish(self) -> None:
        """Bring everything to the disk and close; the part can be read now. Raises SinkError."""
        if self.file.closed:
            return
        with cannot_be_written(self.path), self.file:
            sync(self.file)

    def publish(self) -> None:
        """Finish and take the place of `path` in one step. Raises SinkError; the part stays then."""
        self.finish()
        self._refuse_existing()
        with cannot_be_written(self.path):
            replace(self.part, self.path)

    def keep(self) -> Path | None:
        """Close as far as it goes and leave the part where it is; None where it is no more. Never raises."""
        with contextlib.suppress(OSError):
            self.file.close()  # a buffer that a full disk refuses is lost
        return self.part if self.part.exists() else None

    def discard(self) -> None:
        """Close and remove the part. Never raises."""
        self.keep()
        with contextlib.suppress(OSError):
            self.part.unlink()

    def _refuse_existing(self) -> None:
        if self.path.is_dir():
            raise SinkError(f"{self.path}: is a folder; name a file in it")
        if not self.path.exists():
            return
        if not self.path.is_file():  # a renaming would take the place of a device for good
            raise SinkError(f"{self.path}: is a device, a pipe or a socket; name a file")
        if not self._overwrite:
            raise SinkError(f"{self.path}: exists already; allow overwriting, or choose another name")


def removed(path: Path) -> str:
    """Return the error message for an output whose file or folder was removed while it was written."""
    gone = path if path.parent.is_dir() else path.parent
    return f"{gone} was removed or moved while it was written to; what was written is lost"


@dataclass(frozen=True)
class Parts:
    """Parts of one output that are there.

    busy: written at this moment
    left: no longer written
    """

    busy: tuple[Path, ...]
    left: tuple[Path, ...]


def parts_of(path: Path) -> Parts:
    """The parts of an output that lie beside it, of whatever run; none where that cannot be told."""
    pattern = re.compile(rf"{re.escape(path.stem)}\.[0-9a-f]{{8}}\.part{re.escape(path.suffix)}")
    try:
        found = sorted(one for one in path.parent.iterdir() if pattern.fullmatch(one.name) and one.is_file())
    except OSError:
        found = []
    busy = tuple(one for one in found if _is_claimed(one))
    return Parts(busy, tuple(one for one in found if one not in busy))


def left_in_folder(folder: Path) -> tuple[Path, ...]:
    """The parts of whatever output that lie in a folder and that nobody writes any more; none without it."""
    try:
        found = sorted(one for one in folder.iterdir() if _ANY_PART.fullmatch(one.name) and one.is_file())
    except OSError:
        return ()
    return tuple(one for one in found if not _is_claimed(one))


def _claim(file: BinaryIO) -> None:
    """Mark a file as being written, until it is closed, by whatever end of the process."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_claimed(path: Path) -> bool:
    if sys.platform == "win32":
        return False
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextmanager
def cannot_be_written(path: Path) -> Iterator[None]:
    """Turns what the system has against writing `path` into a SinkError of one line."""
    try:
        yield
    except OSError as error:
        raise SinkError(f"{path}: cannot be written: {error.strerror or error}") from error


def part_name(path: Path, mark: str = "part") -> Path:
    """Return an unused name beside `path`: `STEM.<unique>.MARK.SUFFIX`."""
    return path.with_name(f"{shortened(path.stem)}.{secrets.token_hex(4)}.{mark}{path.suffix}")
