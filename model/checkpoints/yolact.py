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
from model.config import PRESETS, YolactConfig
from model.config_limits import check_limits
from model.errors import CheckpointError, ConfigError
from model.network.yolact import Yolact, build_yolact, square_boxes

FORMAT = "livemask"
VERSION = 1

# prefixes of the parameter names here, and what the published files call the parts
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
    """The network of a checkpoint that was read: float32, on the CPU, in evaluation mode.

    Of a run's last state it is the averaged network, which is what the run would end with. Raises
    CheckpointError when the average is not one of this network.
    """
    config = checkpoint.config
    with torch.device("meta"):
        network = build_yolact(config)
    state = {k: v.float() if v.is_floating_point() else v for k, v in best_state(checkpoint).items()}
    network.load_state_dict(state, assign=True)
    network.anchors = square_boxes(config)
    return network.eval()


def best_state(checkpoint: Checkpoint) -> Mapping[str, Tensor]:
    """The weights to use: of a run's last state the averaged ones.

    Raises CheckpointError when the average is not one of this network.
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
    expected = _expected(path, config, native)
    _compare(path, _weights(path, sketch, native), expected, config.name)
    content = load(path)
    weights = _weights(path, content, native)
    absent = next((k for k in expected if k in weights and weights[k].is_meta), None)
    if absent is not None:
        raise CheckpointError(f"{path}: {absent}: the file describes it, but does not hold it")
    _require_finite(path, {k: v for k, v in weights.items() if k in expected})
    state = {
        ours: weights.get(theirs, torch.zeros((), dtype=torch.int64))
        for theirs, (ours, _) in expected.items()
    }
    if not native:
        return Checkpoint(config, state, "", "", None)
    training = content.get("training")
    if not isinstance(training, dict | None):
        raise CheckpointError(f"{path}: key 'training' should be a table, got {type(training).__name__}")
    return Checkpoint(config, state, _text(content.get("licence")), _text(content.get("notes")), training)


def read_config(path: str | Path) -> YolactConfig:
    """The configuration of a file, without its weights. Raises CheckpointError as `load_checkpoint` does."""
    path = Path(path)
    sketch, native = _sketch(path)
    return (_native_config if native else _official_config)(path, sketch, None)


def _sketch(path: Path) -> tuple[dict[str, Any], bool]:
    """The file's table with tensors that hold nothing, and whether the file is native."""
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

    `half` stores the convolutions' weights in float16, half the size, good enough for inference; biases
    and norms, which are few, stay as they are.
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
    """The table of tensors, without the surplus keys of old published files."""
    if not native:
        return {str(key): value for key, value in content.items() if not _SURPLUS.match(str(key))}
    weights = content.get("weights")
    if not isinstance(weights, dict):
        raise CheckpointError(
            f"{path}: key 'weights' should be a table of tensors, got {type(weights).__name__}"
        )
    return weights


def _expected(path: Path, config: YolactConfig, native: bool) -> dict[str, tuple[str, Tensor]]:
    """For each key that the file should have: the parameter's name here, and its shape as a tensor."""
    try:
        with torch.device("meta"):
            state = build_yolact(config).state_dict()
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return {name if native else official_name(name): (name, value) for name, value in state.items()}


def official_name(name: str) -> str:
    """What the published files call the parameter of that name."""
    prefix = next((p for p in _OFFICIAL_PREFIXES if name.startswith(p)), "")
    return _OFFICIAL_PREFIXES.get(prefix, "") + name.removeprefix(prefix)


def _compare(
    path: Path, weights: dict[str, Any], expected: dict[str, tuple[str, Tensor]], config_name: str
) -> None:
    """Raise CheckpointError on the first key that is missing, of another shape, or surplus."""
    for key, (_, wanted) in expected.items():
        got = weights.get(key)
        if not isinstance(got, Tensor):
            if _may_be_absent(key) and got is None:
                continue
            found = "it is missing" if got is None else f"got {type(got).__name__}"
            raise CheckpointError(
                f"{path}: {key}: expected {list(wanted.shape)} for {config_name}, but {found}"
            )
        if got.shape != wanted.shape or got.is_floating_point() != wanted.is_floating_point():
            raise CheckpointError(
                f"{path}: {key}: expected {list(wanted.shape)} {_kind(wanted)} for {config_name}, "
                f"got {list(got.shape)} {_kind(got)}"
            )
    for key in weights:
        if key not in expected:
            raise CheckpointError(
                f"{path}: {key}: not a part of {config_name}; are these weights of another model?"
            )
    claimed = sum(weights[key].nbytes for key in expected if key in weights)
    held = path.stat().st_size
    if claimed > held:
        raise CheckpointError(
            f"{path}: its weights claim {claimed} bytes, but the file has {held}; it is truncated or forged"
        )


def _require_finite(path: Path, weights: Mapping[str, Tensor]) -> None:
    for key, value in weights.items():
        # as float32: the smallest types know no such test
        if value.is_floating_point() and not value.float().isfinite().all():
            raise CheckpointError(
                f"{path}: {key}: it holds values that are not finite; the training diverged"
            )


def _may_be_absent(key: str) -> bool:
    # PyTorch before 0.4.1 did not count batches, and nothing depends on the count
    return key.endswith("num_batches_tracked")


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
