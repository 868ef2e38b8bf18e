"""Digests of downloaded weights: recorded when a file is first seen, and checked from then on.

The pins are kept in `weights.lock.json` in the cache folder. Nobody publishes digests of the official files,
so the first one seen is the one that is trusted; a file that later differs from it is never used.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from model.atomic import write_bytes
from model.errors import DownloadError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

PINS_FILE = "weights.lock.json"


@dataclass(frozen=True)
class Pin:
    """Record of a file when first seen: SHA-256 in hex, bytes, origin, and the date (ISO 8601, UTC)."""

    sha256: str
    size: int
    address: str
    first_seen: str

    def matches(self, file: Path) -> bool:
        """Return True if `file` holds exactly the pinned bytes. Raises OSError."""
        return file.stat().st_size == self.size and sha256_of(file) == self.sha256


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex. Raises OSError."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_pins(folder: Path) -> dict[str, Pin]:
    """Return the pins of a cache folder by catalogue name; empty when nothing was pinned.

    Raises DownloadError when the lock file cannot be read: to go on without it would mean to trust any file.
    """
    path = folder / PINS_FILE
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return {name: _pin_from(values) for name, values in entries.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DownloadError(
            f"{path} is not a readable list of digests ({error}); restore it, or remove it to trust the "
            "weights as they are now"
        ) from error


def check_pin(folder: Path, name: str, file: Path) -> None:
    """Raise DownloadError unless `file` can be read and has the digest that was pinned as `name`."""
    pin = read_pins(folder).get(name)
    if pin is None:
        raise DownloadError(
            f"{file} is there, but its digest was never recorded; "
            f"`python run_app.py models download {name}` records it without downloading it again"
        )
    try:
        _require_match(pin, name, file, folder)
    except OSError as error:
        raise DownloadError(f"{file} cannot be read ({error}); check its permissions") from error


def pin_or_check(folder: Path, name: str, file: Path, address: str) -> Pin:
    """Pin `file` as `name` if nothing is pinned, else check it, and return the pin.

    Raises DownloadError when `file` differs from the pin, which then stays as it was, and OSError when
    the lock file cannot be written.
    """
    with exclusive(folder / f".{PINS_FILE}.guard", wait=True):
        pins = read_pins(folder)
        if name not in pins:
            today = datetime.datetime.now(datetime.UTC).date().isoformat()
            pins[name] = Pin(sha256_of(file), file.stat().st_size, address, today)
            _write_pins(folder, pins)
            return pins[name]
    _require_match(pins[name], name, file, folder)
    return pins[name]


@contextlib.contextmanager
def exclusive(guard: Path, *, wait: bool) -> Iterator[None]:
    """Hold a lock on the file `guard`; the system frees it even if this process dies.

    Raises BlockingIOError when another process holds it and `wait` is False.
    """
    with guard.open("ab") as stream:
        _lock(stream.fileno(), wait)
        yield


if sys.platform == "win32":

    def _lock(descriptor: int, wait: bool) -> None:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(error.errno, "locked by another process") from error

else:

    def _lock(descriptor: int, wait: bool) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


def _pin_from(values: object) -> Pin:
    if not isinstance(values, dict):
        raise TypeError(f"expected a table for each name, got {type(values).__name__}")
    pin = Pin(**values)
    texts = (pin.sha256, pin.address, pin.first_seen)
    if not all(isinstance(text, str) for text in texts) or not isinstance(pin.size, int):
        raise TypeError("a value is of the wrong type")
    return pin


def _write_pins(folder: Path, pins: dict[str, Pin]) -> None:
    entries = {name: dataclasses.asdict(pin) for name, pin in sorted(pins.items())}
    write_bytes(folder / PINS_FILE, (json.dumps(entries, indent=2) + "\n").encode())


def _require_match(pin: Pin, name: str, file: Path, folder: Path) -> None:
    if pin.matches(file):
        return
    raise DownloadError(
        f"{name}: the file is not the one that was first seen on {pin.first_seen}: got sha256 "
        f"{sha256_of(file)} ({file.stat().st_size} bytes), expected {pin.sha256} ({pin.size} bytes). It is "
        f"damaged or was changed; `python run_app.py models download {name}` fetches it anew. Only if you "
        f"know that a new version was published, remove {name} from {folder / PINS_FILE} first"
    )
