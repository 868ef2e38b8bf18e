"""Weights files that lie: tensors that claim what is not there, in both of PyTorch's containers."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.serialization import MAGIC_NUMBER, PROTOCOL_VERSION

STOP = b"."


@dataclass(frozen=True)
class Storage:
    """Claims so many float32 numbers."""

    numbers: int
    key: str = "0"


@dataclass(frozen=True)
class Claim:
    """Is read as a float32 tensor of that size."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    storage: Storage


class _Forger(pickle.Pickler):
    def __init__(self, file: io.BytesIO, legacy: bool) -> None:
        super().__init__(file, protocol=2)
        self.legacy = legacy

    def persistent_id(self, obj: Any) -> Any:
        if not isinstance(obj, Storage):
            return None
        description = ("storage", torch.FloatStorage, obj.key, "cpu", obj.numbers)
        return (*description, None) if self.legacy else description

    def reducer_override(self, obj: Any) -> Any:
        if not isinstance(obj, Claim):
            return NotImplemented
        arguments = (obj.storage, 0, obj.size, obj.stride, False, OrderedDict())
        return torch._utils._rebuild_tensor_v2, arguments


def pickled(content: Any, legacy: bool = False) -> bytes:
    file = io.BytesIO()
    _Forger(file, legacy).dump(content)
    return file.getvalue()


def forge_zip(path: Path, content: Any, compression: int = zipfile.ZIP_STORED, numbers: int = 4) -> Path:
    """A file as of `torch.save`; storage "0" holds `numbers` zeros. `content` may be pickled already."""
    records = {
        "data.pkl": content if isinstance(content, bytes) else pickled(content),
        "version": b"3\n",
        "byteorder": b"little",
        "data/0": bytes(4 * numbers),
    }
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, value in records.items():
            archive.writestr(f"archive/{name}", value)
    return path


def forge_legacy(path: Path, content: Any, payload: bytes = b"") -> Path:
    """A file as of `torch.save` before 2020: pickles one after another, then the storages."""
    parts = [pickle.dumps(part, 2) for part in (MAGIC_NUMBER, PROTOCOL_VERSION, {"little_endian": True})]
    parts.append(content if isinstance(content, bytes) else pickled(content, legacy=True))
    path.write_bytes(b"".join([*parts, pickle.dumps(["0"], 2), payload]))
    return path


def nested_lists(depth: int) -> bytes:
    """Pickles a table whose one value is a list in a list in a list …"""
    return b"\x80\x02}X\x01\x00\x00\x00x" + b"]" * depth + b"a" * (depth - 1) + b"s" + STOP
