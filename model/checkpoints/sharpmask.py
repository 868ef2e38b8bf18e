"""Weights of DeepMask and SharpMask on disk: the project's own files, and those of the published port."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from model.checkpoints.file import load, outline, save
from model.checkpoints.weights import check_shapes, check_values
from model.errors import CheckpointError, ConfigError
from model.sharpmask.config import DEEPMASK_PORT, FORMAT, SHARPMASK_RESNET50, SharpMaskConfig
from model.sharpmask.network import SharpMask, build_sharpmask

VERSION = 1

# the port's names, and ours; the first pattern that matches a whole name counts
_PORT_NAMES: tuple[tuple[str, str], ...] = (
    (r"trunk\.0\.0\.1\.(.+)", r"trunk.conv1.\1"),
    (r"trunk\.0\.1\.(.+)", r"trunk.bn1.\1"),
    (r"trunk\.0\.4\.(\d+)\.(.+)", r"trunk.layers.0.\1.\2"),
    (r"trunk\.0\.5\.(\d+)\.(.+)", r"trunk.layers.1.\1.\2"),
    (r"trunk\.0\.6\.(\d+)\.(.+)", r"trunk.layers.2.\1.\2"),
    (r"trunk\.1\.([02])\.(.+)", r"head.mask_branch.\1.\2"),
    (r"maskBranch(?:DM)?\.0\.0\.(.+)", r"head.mask.\1"),
    (r"scoreBranch\.([14])\.(.+)", r"head.score.\1.\2"),
    (r"netvs\.0\.(.+)", r"refinement.seed.\1"),
    *((rf"neths\.0\.{i}\.(.+)", rf"refinement.horizontal.0.{i - 1 - n}.\1") for n, i in enumerate((1, 4, 7))),
    *(
        (rf"neths\.([123])\.{i}\.(.+)", rf"refinement.horizontal.\1.{i - 2 - n}.\2")
        for n, i in enumerate((2, 5, 8))
    ),
    *(
        (rf"netvs\.{level + 1}\.{i}\.(.+)", rf"refinement.vertical.{level}.{i - 1 - n}.\1")
        for level in range(4)
        for n, i in enumerate((1, 4))
    ),
    (r"refs\.5\.1\.(.+)", r"refinement.last.\1"),
)
# doubles of other parameters, and counts that nothing depends on
_SURPLUS = re.compile(r"refs\.[0-4]\..+|refs\.\d+|.+\.num_batches_tracked")
_TORCH7_START = b"\x04\x00\x00\x00\x01\x00\x00\x00\x03\x00\x00\x00V 1"


def load_sharpmask(path: str | Path, config: SharpMaskConfig | None = None) -> SharpMask:
    """Return the network of a file: float32, on the CPU, in evaluation mode.

    The project's own files say what they are. A file under the port's names (a table of tensors, or one under
    `state_dict`, with or without `module.` before each name) is of `config`; without it, one that refines is
    taken for `sharpmask_resnet50` and any other for the port's own `deepmask_port`. Raises CheckpointError
    naming the first key that is missing, of another shape or not a part of the network.
    """
    return read_sharpmask(path, config)[0]


def read_sharpmask(
    path: str | Path, config: SharpMaskConfig | None = None
) -> tuple[SharpMask, dict[str, Any] | None]:
    """Return the network of a file, and what its training needs to go on or None.

    Raises CheckpointError as `load_sharpmask` does.
    """
    path = Path(path)
    sketch = _sketch(path)
    native = sketch.get("format") == FORMAT
    config = config or _config_of(path, sketch)
    if config is None:
        raise CheckpointError(f"{path}: the file does not say which network it is of; name its configuration")
    with torch.device("meta"):
        network = build_sharpmask(config)
    expected = network.state_dict()
    keys = _keys(path, sketch, native)
    named = {keys.get(name, name): value for name, value in expected.items()}
    check_shapes(path, _table(path, sketch, native), named, config.name)
    content = load(path)
    weights = _table(path, content, native)
    check_values(path, weights)
    state = {name: _loaded(weights[keys[name]]) for name in expected}
    network.load_state_dict(state, assign=True)
    training = content.get("training") if native else None
    if not isinstance(training, dict | None):
        raise CheckpointError(f"{path}: key 'training' should be a table, got {type(training).__name__}")
    return network.eval(), training


def read_sharpmask_config(path: str | Path) -> SharpMaskConfig:
    """Return the configuration of a file, see `load_sharpmask`. Raises CheckpointError on other files."""
    path = Path(path)
    config = _config_of(path, _sketch(path))
    if config is None:
        raise CheckpointError(f"{path}: not a file of a proposal network")
    return config


def holds_sharpmask(path: Path) -> bool:
    """Return whether a file is a proposal network's, in the project's own form or under the port's names."""
    try:
        sketch = _sketch(path)
        return sketch.get("format") == FORMAT or _published_config(sketch) is not None
    except CheckpointError:
        return False


def save_sharpmask(
    path: str | Path,
    network: SharpMask,
    licence: str = "",
    notes: str = "",
    training: dict[str, Any] | None = None,
    half: bool = False,
) -> None:
    """Write a network's weights; a file of that name is replaced only when the new one is complete.

    half: store kernels in float16, half the size, good enough for inference.
    """
    state = {name: value.detach().cpu() for name, value in network.state_dict().items()}
    weights = {name: v.half() if half and v.ndim > 1 else v.clone() for name, v in state.items()}
    content = {"format": FORMAT, "version": VERSION, "config": network.config.to_dict()}
    content |= {"licence": licence, "notes": notes, "weights": weights, "training": training}
    save(Path(path), content)


def _sketch(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file; `models list` shows the weights there are")
    with path.open("rb") as file:
        start = file.read(len(_TORCH7_START))
    if start == _TORCH7_START or path.suffix == ".t7":
        raise CheckpointError(
            f"{path}: a Torch7 file, which only Torch7 can read; load it there, write its parameters under "
            "the names of the PyTorch port, and give the `.pth` file instead"
        )
    sketch = outline(path)
    if not isinstance(sketch, dict):
        raise CheckpointError(f"{path}: expected a table of tensors, got {type(sketch).__name__}")
    return sketch


def _config_of(path: Path, sketch: Mapping[str, Any]) -> SharpMaskConfig | None:
    return _config(path, sketch) if sketch.get("format") == FORMAT else _published_config(sketch)


def _published_config(sketch: Mapping[str, Any]) -> SharpMaskConfig | None:
    """Return the configuration of a file under the port's names; None where it is none."""
    table = sketch.get("state_dict", sketch)
    names = {str(key).removeprefix("module.") for key in table} if isinstance(table, Mapping) else set()
    if not {"trunk.0.0.1.weight", "scoreBranch.4.weight"} <= names:
        return None
    return SHARPMASK_RESNET50 if "netvs.0.weight" in names else DEEPMASK_PORT


def _config(path: Path, sketch: Mapping[str, Any]) -> SharpMaskConfig:
    version = sketch.get("version")
    if version != VERSION:
        raise CheckpointError(f"{path}: format version {version!r}, expected {VERSION}")
    try:
        return SharpMaskConfig.from_dict(dict(sketch.get("config", {})))
    except (ConfigError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: {error}") from error


def _table(path: Path, content: Mapping[str, Any], native: bool) -> dict[str, Any]:
    """Return the file's tensors by their keys, without surplus ones of the port."""
    table = content.get("weights" if native else "state_dict", {} if native else content)
    if not isinstance(table, dict) or not table:
        raise CheckpointError(f"{path}: it holds no table of tensors")
    named = {str(key): value for key, value in table.items()}
    if native:
        return named
    return {k: v for k, v in named.items() if not _SURPLUS.fullmatch(k.removeprefix("module."))}


def _keys(path: Path, content: Mapping[str, Any], native: bool) -> dict[str, str]:
    """Return the file's key of each parameter, by the parameter's name here."""
    table = _table(path, content, native)
    return {key if native else _our_name(key.removeprefix("module.")): key for key in table}


def _our_name(name: str) -> str:
    for pattern, ours in _PORT_NAMES:
        if match := re.fullmatch(pattern, name):
            return match.expand(ours).replace(".conv2.1.", ".conv2.")
    return name


def _loaded(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
