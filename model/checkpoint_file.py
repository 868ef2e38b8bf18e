"""Reading a weights file that nobody vouches for.

Code in a pickle is never run, and what a file claims to hold is compared with its size before anything of
that size is allocated.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from model.errors import CheckpointError

# far more than any checkpoint needs; a file can name one list a thousand times, or within itself
MAX_PARTS = 1_000_000
MAX_DEPTH = 32

_PLAIN = (str, bytes, int, float, type(None), torch.device, torch.dtype)


def outline(path: Path) -> Any:
    """What the file holds, with tensors that have a shape but no storage; nothing of their size is read.

    Raises CheckpointError on a file that `torch.load` cannot read, or that claims more than it can hold.
    """
    with _refusal(path):
        _check_container(path)
        with FakeTensorMode():
            content = _load(path)
        _check_parts(content, path.stat().st_size)
    return content


def load(path: Path) -> Any:
    """What the file holds, tensors on the CPU. Raises CheckpointError as `outline`, which comes first."""
    with _refusal(path):
        return _load(path)


def _load(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=True)


@contextmanager
def _refusal(path: Path) -> Iterator[None]:
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error.__cause__
    except MemoryError:
        raise
    except Exception as error:  # a broken file fails in as many ways as there are bytes
        raise CheckpointError(f"{path}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, pickle.UnpicklingError) and "global" in str(error).lower():
        return "it holds pickled code, which is never run; expected tensors, numbers and text only"
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"not a PyTorch file, or a truncated one ({first}); download or copy it again"


def _check_container(path: Path) -> None:
    """Refuse an archive that would grow when it is read."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise CheckpointError("its entries are compressed, which PyTorch never does")
    _check_claim(sum(entry.file_size for entry in entries), path.stat().st_size)


def _check_parts(content: Any, file_size: int) -> None:
    """Refuse what is not plain data, and tensors that the file cannot hold, such as views of one number."""
    for value in _parts(content):
        if isinstance(value, Tensor):
            if value.layout is not torch.strided or value.is_quantized:
                raise CheckpointError(f"it holds a tensor of layout {value.layout}; expected plain ones")
            _check_claim(max(value.nbytes, value.untyped_storage().nbytes()), file_size)
        elif not isinstance(value, (Mapping, list, tuple, *_PLAIN)):
            raise CheckpointError(
                f"it holds a {type(value).__name__}; expected tensors, numbers and text only"
            )


def _check_claim(claimed: int, file_size: int) -> None:
    if claimed > file_size:
        raise CheckpointError(
            f"it claims to hold {claimed} bytes, but the file has {file_size}; it is truncated or forged"
        )


def _parts(content: Any) -> Iterator[Any]:
    """The content and everything in it, one by one."""
    waiting = [(content, 0)]
    count = 0
    while waiting:
        value, depth = waiting.pop()
        count += 1
        if depth > MAX_DEPTH or count > MAX_PARTS:
            raise CheckpointError(
                f"it is nested more than {MAX_DEPTH} deep or has more than {MAX_PARTS} parts; it is forged"
            )
        yield value
        if isinstance(value, Mapping):
            waiting += [(part, depth + 1) for part in value.values()]
        elif isinstance(value, (list, tuple)):
            waiting += [(part, depth + 1) for part in value]
