"""Compare the size of all storages that a weights file declares with the size of the file.

PyTorch allocates a storage as large as the file's pickle says, so a forged file of a few bytes could take all
memory. The pickle is read by Python's own unpickler with every global replaced by an object that does
nothing: no code of the file runs, and storages that no tensor uses are counted too.
"""

from __future__ import annotations

import contextlib
import pickle
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO

from model.errors import CheckpointError

_ARCHIVE = b"PK\x03\x04"  # the first bytes of a zip archive, PyTorch's present container
_INDEX = "data.pkl"
_OLDER_PICKLES = 5  # a mark, a version, facts about the machine, the content, the names of the storages
# the unpickler in C allocates a memo table as long as the largest index in the file
_Unpickler: Any = pickle._Unpickler
# bytes an element of each storage class; 1 for those not listed, of which PyTorch reads bytes or nothing
_SIZES = {
    "ComplexDoubleStorage": 16,
    **dict.fromkeys(("ComplexFloatStorage", "DoubleStorage", "LongStorage"), 8),
    **dict.fromkeys(("FloatStorage", "IntStorage", "QInt32Storage"), 4),
    **dict.fromkeys(("HalfStorage", "BFloat16Storage", "ShortStorage"), 2),
}


def is_archive(file: BinaryIO) -> bool:
    """Return True for PyTorch's present container, a zip archive, and False for the older one."""
    file.seek(0)
    return file.read(len(_ARCHIVE)) == _ARCHIVE


def index_of(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """Return the entry with the pickle. Raises CheckpointError unless there is exactly one."""
    found = [entry for entry in archive.infolist() if entry.filename.rpartition("/")[2] == _INDEX]
    if len(found) != 1:
        raise CheckpointError(f"it has {len(found)} entries {_INDEX}, expected one; it is no PyTorch file")
    return found[0]


def check_claims(file: BinaryIO, size: int) -> None:
    """Raise CheckpointError when a file of `size` bytes declares more bytes of storages than it has.

    A broken file raises whatever its reader raises.
    """
    if is_archive(file):
        with zipfile.ZipFile(file) as archive:
            _check_archive(archive, size)
    else:
        file.seek(0)
        check_claim(sum(_older_storages(file).values()), size)


def check_claim(claimed: int, size: int) -> None:
    """Raise CheckpointError when more bytes are claimed than the file has."""
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
        if held is not None:  # without an entry PyTorch raises
            check_claim(claimed, held.file_size)


def _older_storages(file: BinaryIO) -> dict[str, int]:
    """Return the storages that the pickles of the older container name; the tensors' bytes follow them."""
    found: dict[str, int] = {}
    for _ in range(_OLDER_PICKLES):
        found |= _storages(file)
    return found


def _storages(stream: Any) -> dict[str, int]:
    """Return the bytes of each storage that one pickle names, by its key."""
    counter = _Counter(stream)
    with contextlib.suppress(EOFError):  # PyTorch has allocated as much when it reaches the end
        counter.load()
    return counter.storages


class _Counter(_Unpickler):  # type: ignore[misc]
    """Unpickler that only collects the sizes of storages."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self.storages: dict[str, int] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Return a stand-in, never the object of that name."""
        return _Kind(_SIZES.get(name, 1)) if name.endswith("Storage") else _Nothing

    def persistent_load(self, pid: Any) -> Any:
        """Add a storage; the largest size of a key counts."""
        if isinstance(pid, tuple) and len(pid) >= 5 and pid[0] in ("storage", b"storage"):
            kind, key, _, numbers = pid[1:5]
            if not isinstance(numbers, int) or numbers < 0:
                raise CheckpointError(f"it holds a storage of {numbers!r} numbers; it is forged")
            claimed = numbers * (kind.size if isinstance(kind, _Kind) else 1)
            self.storages[str(key)] = max(self.storages.get(str(key), 0), claimed)
        return _Nothing()


class _Kind:
    """Stand-in for a storage class whose elements have `size` bytes."""

    def __init__(self, size: int) -> None:
        self.size = size


class _Nothing:
    """Stand-in for any other object: accepts every operation of a pickle and does nothing."""

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
        """Do nothing."""

    def extend(self, values: Any) -> None:
        """Do nothing."""

    def add(self, value: Any) -> None:
        """Do nothing."""
