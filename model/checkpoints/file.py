"""Read and write weights files; files of unknown origin are read safely.

Code in a pickle is never run, and the sizes that a file declares are compared with its own size before memory
is allocated for them (`model.checkpoints.claims`).
"""

from __future__ import annotations

import io
import os
import pickle
import pickletools
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from model.atomic import draft
from model.checkpoints.claims import check_claim, check_claims
from model.checkpoints.pickled import pickled
from model.errors import CheckpointError

# far more than any checkpoint needs; a forged file may name one list a thousand times, or within itself
MAX_PARTS = 1_000_000
MAX_DEPTH = 32

_NAMED_GLOBAL = re.compile(r"\bGLOBAL ([\w.]{1,100})")
_PRINTABLE = re.compile(r"[\w.]{1,100}")
_HARMLESS_GLOBAL = re.compile(r"torch\.|collections\.OrderedDict$")

_PLAIN = (str, bytes, int, float, type(None), torch.device, torch.dtype)


def outline(path: Path) -> Any:
    """Return the file's content with tensors that have a shape but no data; their data are not read.

    Raises CheckpointError on a file that `torch.load` cannot read, that declares more bytes than it has, or
    that holds anything but tensors, numbers and text.
    """
    with _refusal(path), _checked(path) as file, FakeTensorMode():
        content = _load(file)
        _check_parts(content, _size(file))
    return content


def load(path: Path) -> Any:
    """Return the file's content, tensors on the CPU. Call `outline` first, which checks the parts.

    Raises CheckpointError as `outline` does. Sizes are checked and data read from one open file,
    even if it is replaced meanwhile.
    """
    with _refusal(path), _checked(path) as file:
        return _load(file)


def save(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file for `load`; an existing one is replaced only when the new one is complete.

    Raises OSError or RuntimeError when it cannot be written.
    """
    with draft(path) as unfinished:
        torch.save(content, unfinished)


@contextmanager
def _checked(path: Path) -> Iterator[BinaryIO]:
    """Yield the open file, at its start, once the sizes that it declares have been checked."""
    with path.open("rb") as file:
        check_claims(file, _size(file))
        file.seek(0)
        yield file


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _load(file: BinaryIO) -> Any:
    # PyTorch warns of what it then refuses; the error is enough
    with warnings.catch_warnings(action="ignore"):
        return torch.load(file, map_location="cpu", weights_only=True)


@contextmanager
def _refusal(path: Path) -> Iterator[None]:
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error.__cause__
    except MemoryError:
        raise
    except Exception as error:  # a broken file fails in as many ways as there are bytes
        raise CheckpointError(f"{path}: {_reason(path, error)}") from error


def _reason(path: Path, error: Exception) -> str:
    broken = "not a PyTorch file, or a truncated one"
    if not isinstance(error, pickle.UnpicklingError):
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        return f"{broken} ({first}); download or copy it again"
    # PyTorch's own message advises to run the code in the file: it is never quoted
    named = _NAMED_GLOBAL.search(str(error))
    code = named[1] if named else _first_global(path)
    if code:
        return f"it holds pickled code ({code}), which is never run; expected tensors, numbers and text only"
    return f"{broken}; download or copy it again"


def _first_global(path: Path) -> str | None:
    """Return the first global in the file's pickles that is not PyTorch's own; nothing is executed."""
    strings: list[str] = []
    try:
        stream = io.BytesIO(pickled(path))
        while True:  # an older container holds several pickles
            for operation, argument, _ in pickletools.genops(stream):
                if "UNICODE" in operation.name:
                    strings.append(str(argument))
                elif operation.name in ("GLOBAL", "INST", "STACK_GLOBAL"):
                    name = ".".join(str(argument).split() if argument else strings[-2:])
                    if not _HARMLESS_GLOBAL.match(name):
                        return name if _PRINTABLE.fullmatch(name) else "with a name that is none"
    except Exception:  # no pickle, a broken one, or its end
        return None


def _check_parts(content: Any, file_size: int) -> None:
    """Raise CheckpointError on anything but plain data, and on tensors larger than the file."""
    for value in _parts(content):
        if isinstance(value, Tensor):
            if value.layout is not torch.strided or value.is_quantized:
                raise CheckpointError(f"it holds a tensor of layout {value.layout}; expected plain ones")
            check_claim(max(value.nbytes, value.untyped_storage().nbytes()), file_size)
        elif not isinstance(value, (Mapping, list, tuple, *_PLAIN)):
            raise CheckpointError(
                f"it holds a {type(value).__name__}; expected tensors, numbers and text only"
            )


def _parts(content: Any) -> Iterator[Any]:
    """Yield the content and everything in it."""
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
