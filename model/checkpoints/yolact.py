"""Weights on disk: the project's own files and the published `.pth` ones.

Nothing in a file is trusted: `model.checkpoints.file` reads it, and shapes are compared with what the
configuration asks for before any tensor is allocated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from model.checkpoints.file import load, outline, save
from model.checkpoints.weights import check_shapes, check_values
from model.config import PRESETS, YolactConfig
from model.config_limits import check_limits
from model.errors import CheckpointError, ConfigError
from model.network.yolact import Yolact, build_yolact, square_boxes

FORMAT = "livemask"
VERSION = 1

# prefixes of the parameter names here -> those in the published files
_OFFICIAL_PREFIXES = {
    "protonet.": "proto_net.",
    "head.": "prediction_layers.0.",
    "semantic_head.": "semantic_seg_conv.",
    "mask_iou_net.": "maskiou_net.",
}
# surplus keys of old published files: ResNet stages under torchvision's names, and unused pyramid levels
_SURPLUS = re.compile(r"backbone\.layer\d|fpn\.downsample_layers\.[2-9]")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Content of a file that passed all checks.

    `state` maps this project's parameter names to tensors on the CPU, in the file's own precision;
    `training` is the state of a training run, or None; `licence` and `notes` are text.
    """

    config: YolactConfig
    state: Mapping[str, Tensor]
    licence: str
    notes: str
    training: dict[str, Any] | None


def load_checkpoint(path: str | Path, config: YolactConfig | None = None) -> Yolact:
    """Return the network of a native or a published file: float32, on the CPU, in evaluation mode.

    `config` replaces the file's own; a published file has none and is recognised by its name
    (`<config>_<epoch>_<iteration>.pth`). Raises CheckpointError naming the first offending key.
    """
    return build_from(read_checkpoint(path, config))


def build_from(checkpoint: Checkpoint) -> Yolact:
    """Return the network of a checkpoint: float32, on the CPU, in evaluation mode.

    A run's last state gives the averaged network. Raises CheckpointError when the averaged weights are not
    those of this network.
    """
    config = checkpoint.config
    with torch.device("meta"):
        network = build_yolact(config)
    state = {k: v.float() if v.is_floating_point() else v for k, v in best_state(checkpoint).items()}
    network.load_state_dict(state, assign=True)
    network.anchors = square_boxes(config)
    return network.eval()


def best_state(checkpoint: Checkpoint) -> Mapping[str, Tensor]:
    """Return the weights for inference: the averaged ones where the file is a run's last state.

    Raises CheckpointError when the averaged weights are not those of this network.
    """
    average = (checkpoint.training or {}).get("ema")
    if average is None:
        return checkpoint.state
    shapes = {key: value.shape for key, value in checkpoint.state.items()}
    if (
        not isinstance(average, Mapping)
        or {k: getattr(v, "shape", None) for k, v in average.items()} != shapes
    ):
        raise CheckpointError("the averaged weights in the file are not those of its network")
    return average


def read_checkpoint(path: str | Path, config: YolactConfig | None = None) -> Checkpoint:
    """Read and check a file. Raises CheckpointError as `load_checkpoint` does."""
    path = Path(path)
    sketch, native = _sketch(path)
    config = (_native_config if native else _official_config)(path, sketch, config)
    parameters = _parameters(path, config)
    keys = {name: name if native else official_name(name) for name in parameters}  # ours -> the file's
    expected = {keys[name]: value for name, value in parameters.items()}
    check_shapes(path, _weights(path, sketch, native), expected, config.name)
    content = load(path)
    weights = _weights(path, content, native)
    check_values(path, weights)
    state = {name: weights.get(key, torch.zeros((), dtype=torch.int64)) for name, key in keys.items()}
    if not native:
        return Checkpoint(config, state, "", "", None)
    training = content.get("training")
    if not isinstance(training, dict | None):
        raise CheckpointError(f"{path}: key 'training' should be a table, got {type(training).__name__}")
    return Checkpoint(config, state, _text(content.get("licence")), _text(content.get("notes")), training)


def read_config(path: str | Path) -> YolactConfig:
    """Read the configuration of a file, without its weights. Raises CheckpointError."""
    path = Path(path)
    sketch, native = _sketch(path)
    return (_native_config if native else _official_config)(path, sketch, None)


def _sketch(path: Path) -> tuple[dict[str, Any], bool]:
    """Return the file's table with tensors without data, and True if the file is native."""
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file; `models list` shows the weights there are")
    sketch = outline(path)
    if not isinstance(sketch, dict):
        raise CheckpointError(f"{path}: expected a table of tensors, got {type(sketch).__name__}")
    return sketch, sketch.get("format") == FORMAT


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

    `half` stores the convolutions' weights in float16: half the size, for inference. Biases and norms stay as
    they are.
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
    save(path, content)


def _stored(value: Tensor, half: bool) -> Tensor:
    value = value.detach().cpu()
    return value.half() if half and value.ndim > 1 else value.clone()


def _native_config(path: Path, sketch: dict[str, Any], config: YolactConfig | None) -> YolactConfig:
    version = sketch.get("version")
    if not isinstance(version, int) or version != VERSION:
        raise CheckpointError(f"{path}: format version {version!r}, expected {VERSION}")
    if config is not None:
        return config
    try:
        config = YolactConfig.from_dict(sketch.get("config", {}))
        check_limits(config)
    except (ConfigError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    return config


def _official_config(path: Path, sketch: dict[str, Any], config: YolactConfig | None) -> YolactConfig:
    if not any(str(key).startswith(("proto_net.", "prediction_layers.")) for key in sketch):
        first = next(iter(sketch), "nothing at all")
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


def _weights(path: Path, content: dict[str, Any], native: bool) -> dict[str, Any]:
    """Return the table of tensors, without the surplus keys of old published files."""
    if not native:
        return {str(key): value for key, value in content.items() if not _SURPLUS.match(str(key))}
    weights = content.get("weights")
    if not isinstance(weights, dict):
        raise CheckpointError(
            f"{path}: key 'weights' should be a table of tensors, got {type(weights).__name__}"
        )
    return weights


def _parameters(path: Path, config: YolactConfig) -> dict[str, Tensor]:
    """Return the network's parameters by name, as tensors on the meta device."""
    try:
        with torch.device("meta"):
            return dict(build_yolact(config).state_dict())
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error


def official_name(name: str) -> str:
    """Return the published files' name of a parameter."""
    prefix = next((p for p in _OFFICIAL_PREFIXES if name.startswith(p)), "")
    return _OFFICIAL_PREFIXES.get(prefix, "") + name.removeprefix(prefix)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
