"""Cache of compiled models in the user's cache folder, which makes the next start fast.

Every failure of the cache (a folder without write access, a broken entry, one of other code) only means that
the model is compiled again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache as cache_result
from pathlib import Path
from typing import TYPE_CHECKING

from model.atomic import write_bytes
from model.checkpoints.catalog import cache_folder
from model.config import YolactConfig
from model.engines.openvino_core import openvino_core
from model.errors import ConfigError
from model.project import ROOT

if TYPE_CHECKING:
    import openvino

FOLDER = "compiled"
LARGEST = 2 << 30  # bytes in the folder; the least recently used entries are removed first

_MAGIC = b"livemask compiled 1 "
_MODEL = ROOT / "model"
_NOT_COMPILED = ("training", "evaluation")  # folders of `model` on which compiled models do not depend


@dataclass(frozen=True)
class ModelKey:
    """Identity of a compiled model.

    weights:    SHA-256 of the file, in hex
    name:       of that file, which for published weights says the configuration
    image_size: side of the input in pixels, the longer one where the aspect ratio is kept; None for the
                weights' own
    with_masks: True if it computes prototypes
    precision:  of its arithmetic, as text
    """

    weights: str
    name: str
    image_size: int | None
    with_masks: bool
    precision: str


class CompiledCache:
    """Cache of files, each with a digest of its content.

    surroundings: everything that entries depend on besides their key: versions, processor, code
    largest:      bytes that the folder may hold
    """

    def __init__(self, folder: Path, surroundings: str, largest: int = LARGEST) -> None:
        self._folder = folder
        self._surroundings = surroundings
        self._largest = largest

    def config(self, key: ModelKey) -> YolactConfig | None:
        """Return the configuration kept for this model, with the input size in use, or None."""
        content = self._read(self._path(key, "config"))
        try:
            return None if content is None else YolactConfig.from_dict(json.loads(content))
        except (ConfigError, ValueError):
            return None

    def keep_config(self, key: ModelKey, config: YolactConfig) -> None:
        """Keep the configuration, so that the next start does not have to open the weights."""
        self._write(self._path(key, "config"), json.dumps(config.to_dict()).encode())

    def blob(self, key: ModelKey, shape: Sequence[int] | None) -> bytes | None:
        """Return the compiled model kept for this shape of the input (None for any), or None."""
        return self._read(self._path(key, _listed(shape)))

    def keep_blob(self, key: ModelKey, shape: Sequence[int] | None, blob: bytes) -> None:
        """Keep a compiled model as its engine exports it."""
        self._write(self._path(key, _listed(shape)), blob)

    def _path(self, key: ModelKey, kind: str) -> Path:
        text = json.dumps([asdict(key), self._surroundings], sort_keys=True)
        return self._folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.{kind}"

    def _read(self, path: Path) -> bytes | None:
        try:
            with path.open("rb") as file:
                head = file.read(len(_MAGIC) + 65)
                content = file.read()
        except OSError:
            return None
        if head != _head(content):
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # used just now
        return content

    def _write(self, path: Path, content: bytes) -> None:
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_bytes(path, _head(content) + content)
            self._discard_oldest(spare=path)

    def _discard_oldest(self, spare: Path) -> None:
        # drafts that a killed process left are removed by their age, like all files
        files = [(path, path.stat()) for path in self._folder.iterdir()]
        held = 0
        for path, facts in sorted(files, key=lambda file: file[1].st_mtime, reverse=True):
            held += facts.st_size
            if held > self._largest and path != spare:
                path.unlink(missing_ok=True)


def _head(content: bytes) -> bytes:
    return _MAGIC + hashlib.sha256(content).hexdigest().encode() + b"\n"


class Compiler:
    """Compile a model for a shape of its input, or read it from the cache; for `OpenVinoEngine`.

    build:           returns the model for all shapes; called at most once, when the cache lacks a shape
    float_precision: fp32 or bf16, for all of the model that is not int8
    streams:         1 uses all cores for each batch; n computes n batches at a time
    """

    def __init__(
        self,
        build: Callable[[], openvino.Model],
        key: ModelKey,
        cache: CompiledCache,
        float_precision: str,
        streams: int = 1,
    ) -> None:
        self._build = cache_result(build)
        self._key = key
        self._cache = cache
        self._options = compile_options(float_precision, streams)

    def __call__(self, shape: Sequence[int] | None) -> openvino.CompiledModel:
        """Return the model, compiled for inputs of that shape; None for those of any shape that it takes."""
        core = openvino_core()
        blob = self._cache.blob(self._key, shape)
        if blob is not None:
            with contextlib.suppress(RuntimeError):  # the blob is of another version of OpenVINO
                return core.import_model(blob, "CPU", self._options)
        model = self._build().clone()
        if shape is not None:
            model.reshape(list(shape))
        compiled = core.compile_model(model, "CPU", self._options)
        self._cache.keep_blob(self._key, shape, compiled.export_model().getvalue())
        return compiled


def compile_options(float_precision: str, streams: int) -> dict[str, str | int | bool]:
    """Return OpenVINO's properties for a precision, fp32 or bf16, and a number of streams."""
    return {
        "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[float_precision],
        "PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT",
        "NUM_STREAMS": streams,
        # decoding, drawing and encoding use the same cores: let the system move the threads
        "ENABLE_CPU_PINNING": False,
    }


def compiled_cache() -> CompiledCache:
    """Return the user's cache for this version of OpenVINO, this processor and this code."""
    core = openvino_core()
    from openvino import __version__

    processor = [
        platform.machine(),
        core.get_property("CPU", "FULL_DEVICE_NAME"),
        *core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"),
    ]
    return CompiledCache(cache_folder() / FOLDER, json.dumps([__version__, processor, _digest(_code())]))


def _code() -> list[Path]:
    files = (path for path in _MODEL.rglob("*.py") if path.relative_to(_MODEL).parts[0] not in _NOT_COMPILED)
    return sorted(files)


def _listed(shape: Sequence[int] | None) -> str:
    return "any" if shape is None else "x".join(str(side) for side in shape)


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()
