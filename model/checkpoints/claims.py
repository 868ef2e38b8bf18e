"""What a weights file claims to hold, counted before anything of that size is allocated.

The file's pickles are gone through by Python's own reader, which is given nothing that it could call: each
name in them stands for an object that takes everything and does nothing. So storages count that nothing
uses, which PyTorch allocates all the same.
"""

from __future__ import annotations

import contextlib
import pickle
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO

from model.errors import CheckpointError

_ARCHIVE = b"PK\x03\x04"  # how PyTorch tells its present container from the older one
_INDEX = "data.pkl"
_OLDER_PICKLES = 5  # a mark, a version, facts about the machine, the content, the names of the storages
# a reader in C makes a table as long as the largest number in the file
_Unpickler: Any = pickle._Unpickler
# bytes of a number of each kind of storage; of what is not listed PyTorch reads nothing, or bytes
_SIZES = {
    "ComplexDoubleStorage": 16,
    **dict.fromkeys(("ComplexFloatStorage", "DoubleStorage", "LongStorage"), 8),
    **dict.fromkeys(("FloatStorage", "IntStorage", "QInt32Storage"), 4),
    **dict.fromkeys(("HalfStorage", "BFloat16Storage", "ShortStorage"), 2),
}


def is_archive(file: BinaryIO) -> bool:
    """Whether a file is PyTorch's present container, a zip archive, rather than the older one."""
    file.seek(0)
    return file.read(len(_ARCHIVE)) == _ARCHIVE


def index_of(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """The entry that says what the others are. Raises CheckpointError unless there is just one."""
    found = [entry for entry in archive.infolist() if entry.filename.rpartition("/")[2] == _INDEX]
    if len(found) != 1:
        raise CheckpointError(f"it has {len(found)} entries {_INDEX}, expected one; it is no PyTorch file")
    return found[0]


def check_claims(file: BinaryIO, size: int) -> None:
    """Raise CheckpointError when a file of `size` bytes claims to hold more than it can.

    Raises whatever a broken file leads its reader to.
    """
    if is_archive(file):
        with zipfile.ZipFile(file) as archive:
            _check_archive(archive, size)
    else:
        file.seek(0)
        check_claim(sum(_older_storages(file).values()), size)


def check_claim(claimed: int, size: int) -> None:
    """Raise CheckpointError when more is claimed than there is."""
    if claimed > size:
        raise CheckpointError(
            f"it claims to hold {claimed} bytes, but the file has {size}; it is truncated or forged"
        )


def _check_archive(archive: zipfile.ZipFile, size: int) -> None:
    entries = {entry.filename: entry for entry in archive.infolist()}
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.values()):
        raise CheckpointError("its entries are compressed, which PyTorch never does")
    check_claim(sum(entry.file_size for entry in archive.infolist()), size)
    index = index_of(archive)
    with archive.open(index) as stream:
        storages = _storages(stream)
    check_claim(sum(storages.values()), size)
    folder = index.filename.removesuffix(_INDEX)
    for key, claimed in storages.items():
        held = entries.get(f"{folder}data/{key}")
        if held is not None:  # else there is nothing to be read, which PyTorch says
            check_claim(claimed, held.file_size)


def _older_storages(file: BinaryIO) -> dict[str, int]:
    """Those of all pickles of the older container; what comes behind them are the numbers themselves."""
    found: dict[str, int] = {}
    for _ in range(_OLDER_PICKLES):
        found |= _storages(file)
    return found


def _storages(stream: Any) -> dict[str, int]:
    """The bytes of each storage that one pickle names, by its key."""
    counter = _Counter(stream)
    with contextlib.suppress(EOFError):  # PyTorch, too, has allocated so much when it gets there
        counter.load()
    return counter.storages


class _Counter(_Unpickler):  # type: ignore[misc]
    """Reads a pickle for its storages alone."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self.storages: dict[str, int] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Never the object of that name."""
        return _Kind(_SIZES.get(name, 1)) if name.endswith("Storage") else _Nothing

    def persistent_load(self, pid: Any) -> Any:
        """Count a storage."""
        if isinstance(pid, tuple) and len(pid) >= 5 and pid[0] in ("storage", b"storage"):
            kind, key, _, numbers = pid[1:5]
            if not isinstance(numbers, int) or numbers < 0:
                raise CheckpointError(f"it holds a storage of {numbers!r} numbers; it is forged")
            claimed = numbers * (kind.size if isinstance(kind, _Kind) else 1)
            self.storages[str(key)] = max(self.storages.get(str(key), 0), claimed)
        return _Nothing()


class _Kind:
    """A kind of storage, of numbers of `size` bytes."""

    def __init__(self, size: int) -> None:
        self.size = size


class _Nothing:
    """Takes everything that a pickle does to an object, and keeps nothing of it."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        pass

    def __new__(cls, *arguments: Any, **named: Any) -> _Nothing:
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def append(self, value: Any) -> None:
        """Take it."""

    def extend(self, values: Any) -> None:
        """Take them."""

    def add(self, value: Any) -> None:
        """Take it."""
