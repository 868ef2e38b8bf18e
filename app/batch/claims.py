"""Claims: who works on which video of a batch, told by files that are kept up and need no clock to agree.

A claim is a file `KEY.N.json`, made by `link`, which one alone can. Whoever works changes its time again and
again. One that nobody keeps up is taken over by making the file of the next number: so it is never removed
under somebody's hands, and an owner that was frozen for a while sees that it is not the last one any more.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from app.batch.store import read_record, write_once

BEAT = 2.0  # seconds between two signs of life
LEASE = 20.0  # seconds without one after which a claim may be taken over
LONG_SILENCE = 600.0  # seconds after which it may be removed by somebody who has not watched


@dataclass(frozen=True)
class Holder:
    """The process that works.

    machine: name of the machine, its start and, in a container, the container's numbering of processes
    born:    when the process was started, in the machine's own counting; 0 where that is not told
    since:   when the claim was made, in seconds since 1970
    """

    host: str
    machine: str
    pid: int
    born: int
    since: float

    @property
    def is_gone(self) -> bool:
        """True if the process was of this machine and is no more; False also where nobody knows."""
        return self.machine == this_machine() and not _lives(self.pid, self.born)


@dataclass(frozen=True)
class Claim:
    """The last claim of a video. beaten: when it was last kept up, in nanoseconds of the drive's clock."""

    key: str
    number: int
    beaten: int


class HeldClaim:
    """A claim of this process. folder: of the claims."""

    def __init__(self, folder: Path, key: str, number: int) -> None:
        self._folder = folder
        self.key = key
        self.number = number

    @staticmethod
    def take(folder: Path, key: str, over: int = 0) -> HeldClaim | None:
        """Return the claim of a video, None where another one has it. Raises SinkError.

        over: number of the claim that may be taken over; 0 where there was none
        """
        number = over + 1
        if not write_once(_file(folder, key, number), asdict(me()), lasting=False):
            return None
        held = HeldClaim(folder, key, number)
        if held.is_last:
            return held
        with contextlib.suppress(OSError):
            _file(folder, key, number).unlink()
        return None

    @property
    def is_last(self) -> bool:
        """False once another one has taken over."""
        mine, after = (_file(self._folder, self.key, self.number + n) for n in (0, 1))
        return mine.exists() and not after.exists()

    @contextmanager
    def kept_up(self) -> Iterator[None]:
        """Give signs of life within the context."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(BEAT):
                with contextlib.suppress(OSError):  # it was taken over, or the drive is away for a moment
                    os.utime(_file(self._folder, self.key, self.number))

        thread = threading.Thread(target=beat, name="livemask claim", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def release(self) -> None:
        """Remove the claim, and those that it took over."""
        remove_claims(self._folder, self.key, self.number)


class ClaimWatch:
    """Tells which claims may be taken over. folder: of the claims; lease: as `LEASE`."""

    def __init__(self, folder: Path, lease: float = LEASE) -> None:
        self._folder = folder
        self._lease = lease
        self._seen: dict[str, tuple[Claim, float]] = {}

    def look(self) -> dict[str, Claim]:
        """Return the last claim of each video that has one, and note what has not changed."""
        found, now = claims_in(self._folder), time.monotonic()
        self._seen = {
            key: self._seen[key] if key in self._seen and self._seen[key][0] == claim else (claim, now)
            for key, claim in found.items()
        }
        return found

    def is_dead(self, claim: Claim) -> bool:
        """Return whether nobody keeps a claim up, as far as this process has watched it."""
        seen, since = self._seen.get(claim.key, (claim, time.monotonic()))
        if seen == claim and time.monotonic() - since > self._lease:
            return True
        holder = holder_of(self._folder, claim)
        return holder is not None and holder.is_gone


def claims_in(folder: Path) -> dict[str, Claim]:
    """Return the last claim of each video that has one."""
    found: dict[str, Claim] = {}
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            key, _, rest = entry.name.partition(".")
            number = rest.removesuffix(".json")
            if not number.isdecimal() or (key in found and found[key].number > int(number)):
                continue
            with contextlib.suppress(FileNotFoundError):  # released just now
                found[key] = Claim(key, int(number), entry.stat().st_mtime_ns)
    return found


def holder_of(folder: Path, claim: Claim) -> Holder | None:
    """Return who made a claim; None where it is no more."""
    record: dict[str, Any] | None = read_record(_file(folder, claim.key, claim.number))
    try:
        return None if record is None else Holder(**record)
    except TypeError:
        return None


def silence_of(claim: Claim) -> float:
    """Return for how many seconds a claim was not kept up, as far as clocks agree."""
    return max(time.time() - claim.beaten / 1e9, 0.0)


def is_abandoned(folder: Path, claim: Claim) -> bool:
    """Return whether nobody works on it, for one who has not watched: by the process, or a long silence."""
    holder = holder_of(folder, claim)
    return (holder is not None and holder.is_gone) or silence_of(claim) > LONG_SILENCE


def remove_claims(folder: Path, key: str, number: int) -> None:
    """Remove the claims of a video up to one, the last first; what came after it is another one's."""
    for n in range(number, 0, -1):
        with contextlib.suppress(OSError):
            _file(folder, key, n).unlink()


def me() -> Holder:
    """Return this process as the holder of a claim that is made now."""
    pid = os.getpid()
    return Holder(platform.node(), this_machine(), pid, _state_and_birth(pid)[1], time.time())


@cache
def this_machine() -> str:
    """Return what tells machines apart on which process numbers mean the same."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    return "/".join(parts)


def _file(folder: Path, key: str, number: int) -> Path:
    return folder / f"{key}.{number}.json"


def _lives(pid: int, born: int) -> bool:
    """Return whether a process of this machine runs; where the system does not tell it is taken to."""
    if sys.platform == "win32":
        return True
    state, birth = _state_and_birth(pid)
    if state:
        return state != "Z" and (not born or birth == born)
    if Path("/proc/self/stat").exists():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _state_and_birth(pid: int) -> tuple[str, int]:
    """Return a process's state and its start as Linux tells them; "" and 0 without."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "", 0
    return fields[0], int(fields[19])
