"""Weights on disk: the project's own files and the published `.pth` ones.

Nothing in a file is trusted. Code in a pickle is never run (`weights_only=True`), and shapes and sizes are
read, and compared with what the configuration asks for, before any tensor is allocated.
"""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from model.anchors import make_anchors
from model.config import PRESETS, YolactConfig, check_limits
from model.errors import CheckpointError, ConfigError
from model.yolact import Yolact, build_yolact

FORMAT = "livemask"
VERSION = 1

# prefixes of the published parameter names, and what the parts are called here
_OFFICIAL_PREFIXES = {
    "backbone.": "backbone.",
    "fpn.": "fpn.",
    "proto_net.": "protonet.",
    "prediction_layers.0.": "head.",
    "semantic_seg_conv.": "semantic_head.",
    "maskiou_net.": "mask_iou_net.",
}
# surplus keys of old published files: ResNet stages under torchvision's names, and unused pyramid levels
_SURPLUS = ("backbone.layer", "fpn.downsample_layers.")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The content of a file that passed all checks.

    `state` maps this project's parameter names to tensors on the CPU, in the file's own precision;
    `training` is whatever the training loop needs to go on, or None; `licence` and `notes` are text.
    """

    config: YolactConfig
    state: Mapping[str, Tensor]
    licence: str
    notes: str
    training: dict[str, Any] | None


def load_checkpoint(path: str | Path, config: YolactConfig | None = None) -> Yolact:
    """The network of a native or a published file: float32, on the CPU, in evaluation mode.

    `config` replaces the file's own; a published file, which has none, falls back on its name
    (`<config>_<epoch>_<iteration>.pth`). Raises CheckpointError naming the first offending key.
    """
    return build_from(read_checkpoint(path, config))


def build_from(checkpoint: Checkpoint) -> Yolact:
    """The network of a checkpoint that was read: float32, on the CPU, in evaluation mode."""
    config = checkpoint.config
    with torch.device("meta"):
        network = build_yolact(config)
    state = {k: v.float() if v.is_floating_point() else v for k, v in checkpoint.state.items()}
    network.load_state_dict(state, assign=True)
    network.anchors = make_anchors(config.anchors, config.image_size)
    return network.eval()


def read_checkpoint(path: str | Path, config: YolactConfig | None = None) -> Checkpoint:
    """Read and check a file. Raises CheckpointError as `load_checkpoint` does."""
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file; `models list` shows the weights there are")
    outline = _outline(path)
    if not isinstance(outline, dict):
        raise CheckpointError(f"{path}: expected a table of tensors, got {type(outline).__name__}")
    if outline.get("format") == FORMAT:
        config = _native_config(path, outline, config)
        _compare(path, _native_state(path, outline), config)
        content = _load(path)
        training = content.get("training")
        licence, notes = str(content.get("licence", "")), str(content.get("notes", ""))
        return Checkpoint(config, content["weights"], licence, notes, training)
    config = _official_config(path, outline, config)
    _compare(path, _from_official(outline, config), config)
    return Checkpoint(config, _from_official(_load(path), config), "", "", None)


def save_checkpoint(
    path: str | Path,
    config: YolactConfig,
    state: Mapping[str, Tensor],
    licence: str = "",
    notes: str = "",
    training: dict[str, Any] | None = None,
    half: bool = False,
) -> None:
    """Write a native file; a file of that name is replaced only when the new one is complete.

    `half` stores float16, half the size, good enough for inference.
    """
    path = Path(path)
    weights = {k: _stored(v, half) for k, v in state.items()}
    content = {
        "format": FORMAT,
        "version": VERSION,
        "config": config.to_dict(),
        "licence": licence,
        "notes": notes,
        "weights": weights,
        "training": training,
    }
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        torch.save(content, partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _stored(value: Tensor, half: bool) -> Tensor:
    value = value.detach().cpu()
    return value.half() if half and value.is_floating_point() else value.clone()


def _outline(path: Path) -> Any:
    """What the file holds, with tensors that have a shape but no storage; nothing of their size is read."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise CheckpointError(f"{path}: its entries are compressed, which PyTorch never does")
    with FakeTensorMode():
        outline = _load(path)
    declared = {id(t.untyped_storage()): t.untyped_storage().nbytes() for t in _tensors(outline)}
    if sum(declared.values()) > path.stat().st_size:
        raise CheckpointError(
            f"{path}: its tensors claim {sum(declared.values())} bytes, "
            f"but the file has {path.stat().st_size}; it is truncated or forged"
        )
    return outline


def _load(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error)
        if "global" in reason.lower():
            reason = "it holds pickled code, which is never run; expected tensors, numbers and text only"
        raise CheckpointError(f"{path}: {reason.splitlines()[0]}") from error
    except MemoryError:
        raise
    except Exception as error:  # a broken file fails in as many ways as there are bytes
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(
            f"{path}: not a PyTorch file, or a truncated one ({first}); download or copy it again"
        ) from error


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _tensors(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _tensors(part)


def _native_config(path: Path, outline: dict[str, Any], config: YolactConfig | None) -> YolactConfig:
    if outline.get("version") != VERSION:
        raise CheckpointError(f"{path}: format version {outline.get('version')!r}, expected {VERSION}")
    if config is not None:
        return config
    try:
        config = YolactConfig.from_dict(outline.get("config", {}))
        check_limits(config)
    except (ConfigError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    return config


def _native_state(path: Path, outline: dict[str, Any]) -> dict[str, Tensor]:
    weights = outline.get("weights")
    if not isinstance(weights, dict):
        raise CheckpointError(
            f"{path}: key 'weights' should be a table of tensors, got {type(weights).__name__}"
        )
    return weights


def _official_config(path: Path, outline: dict[str, Any], config: YolactConfig | None) -> YolactConfig:
    if not any(str(key).startswith(("proto_net.", "prediction_layers.")) for key in outline):
        first = next(iter(outline), "nothing at all")
        raise CheckpointError(
            f"{path}: weights of another model; its first key is {first!r}, "
            "expected those of a published YOLACT file or of this project"
        )
    if config is not None:
        return config
    name = path.stem.rsplit("_", 2)[0]
    if name not in PRESETS:
        raise CheckpointError(
            f"{path}: a published file must keep its name, <configuration>_<epoch>_<iteration>.pth, "
            f"since it does not say itself which configuration it is; there are {', '.join(PRESETS)}"
        )
    return PRESETS[name]


def _from_official(state: dict[str, Any], config: YolactConfig) -> dict[str, Any]:
    """Published names -> ours; surplus keys of old files are dropped, unknown ones are kept as they are."""
    wanted = _expected(config)
    renamed = {}
    for key, value in state.items():
        prefix = next((p for p in _OFFICIAL_PREFIXES if str(key).startswith(p)), "")
        name = _OFFICIAL_PREFIXES.get(prefix, "") + str(key)[len(prefix) :]
        if name in wanted or not str(key).startswith(_SURPLUS):
            renamed[name] = value
    return renamed


def _expected(config: YolactConfig) -> dict[str, Tensor]:
    with torch.device("meta"):
        return dict(build_yolact(config).state_dict())


def _compare(path: Path, state: dict[str, Any], config: YolactConfig) -> None:
    """Raise CheckpointError on the first key that is missing, of another shape, or surplus."""
    expected = _expected(config)
    for key, wanted in expected.items():
        got = state.get(key)
        if not isinstance(got, Tensor):
            if key.endswith("num_batches_tracked") and got is None:
                continue
            found = "it is missing" if got is None else f"got {type(got).__name__}"
            raise CheckpointError(
                f"{path}: {key}: expected {list(wanted.shape)} for {config.name}, but {found}"
            )
        if got.shape != wanted.shape or got.is_floating_point() != wanted.is_floating_point():
            raise CheckpointError(
                f"{path}: {key}: expected {list(wanted.shape)} {_kind(wanted)} for {config.name}, "
                f"got {list(got.shape)} {_kind(got)}"
            )
    for key in state:
        if key not in expected:
            raise CheckpointError(
                f"{path}: {key}: not a part of {config.name}; are these weights of another model?"
            )


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
