"""Convert proposal networks to OpenVINO models; read the dense pass from a file that `export` wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from model.engines.openvino_core import openvino_core
from model.errors import CheckpointError, ConfigError
from model.exporting.conversion import converted, exported, fold_constants, name_convolutions
from model.exporting.exported import NETWORK, Precision, binary_of, checked_origin, read_texts, stored_texts
from model.sharpmask.config import SharpMaskConfig
from model.sharpmask.network import SharpMask
from model.sharpmask.parts import CoarseMasks, DensePass, RefinedMasks, skip_shapes

if TYPE_CHECKING:
    import openvino

IMAGES, SCORES, CODES, MASKS = "images", "score_logits", "codes", "mask_logits"
LARGEST_SIDE = 1 << 15  # of a picture that a traced network takes, in pixels


_SHARPMASK = "sharpmask"


@dataclass(frozen=True)
class DensePassFacts:
    """Metadata of an exported dense pass. See `model.exporting.exported.Facts`."""

    config: SharpMaskConfig
    digest: str
    precision: Precision
    licence: str = ""

    def to_texts(self) -> dict[str, str]:
        """Return the facts as they are stored: one text a key."""
        texts = stored_texts(self.config.to_dict(), self.digest, self.precision, self.licence)
        return {**texts, NETWORK: _SHARPMASK}

    @staticmethod
    def from_texts(texts: Mapping[str, str]) -> DensePassFacts:
        """Invert `to_texts`. Raises CheckpointError on missing or invalid values."""
        digest, precision = checked_origin(texts)
        if texts.get(NETWORK) != _SHARPMASK:
            raise CheckpointError("it is no dense pass of a proposal network")
        try:
            config = SharpMaskConfig.from_dict(json.loads(texts.get("config", "")))
        except (ConfigError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise CheckpointError(f"its configuration makes no sense: {error}") from error
        return DensePassFacts(config, digest, precision, texts.get("licence", ""))


def read_dense(path: Path) -> openvino.Model:
    """Read an exported dense pass from its `.xml` file. Raises CheckpointError as `read_exported` does."""
    try:
        config = DensePassFacts.from_texts(read_texts(path)).config
        model = openvino_core().read_model(path, binary_of(path))
        _check(model, config)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except RuntimeError as error:  # OpenVINO's only kind; its message names its own source lines
        reason = str(error).strip().splitlines()[-1]
        raise CheckpointError(f"{path}: broken, or cut short ({reason}); export it again") from error
    return model


def _check(model: openvino.Model, config: SharpMaskConfig) -> None:
    """Raise CheckpointError unless inputs and outputs are those of the configuration's dense pass."""
    from openvino import PartialShape, Type

    skips = [config.refine_width >> (n + 1) for n in range(config.pools)] if config.refines else []
    wanted = {IMAGES: [-1, 3, -1, -1], SCORES: [-1, -1, -1], CODES: [-1, config.code, -1, -1]}
    wanted |= {skip_name(n): [-1, channels, -1, -1] for n, channels in enumerate(skips)}
    ports = {name: port for port in (*model.inputs, *model.outputs) for name in port.get_names()}
    for name, shape in wanted.items():
        port = ports.get(name)
        fits = port is not None and port.partial_shape.compatible(PartialShape(shape))
        if port is None or not fits or port.element_type != Type.f32:
            got = "absent" if port is None else f"{port.partial_shape}"
            raise CheckpointError(f"{name} is {got}, expected {PartialShape(shape)} f32")


def skip_name(number: int) -> str:
    """Return the name of a level's skips, 0 for the coarsest level."""
    return f"skips.{number}"


def dense_model(network: SharpMask) -> openvino.Model:
    """Return the dense pass as a model; `network` in evaluation mode.

    Input `images` [1, 3, H, W] float32, H and W of any size above the window's; outputs `score_logits`
    [1, h, w], `codes` [1, K, h, w] and, of a network that refines, `skips.0` … [1, C_i, h_i, w_i].
    """
    least = network.config.window + 1
    sides = {
        2: torch.export.Dim("rows", min=least, max=LARGEST_SIDE),
        3: torch.export.Dim("columns", min=least, max=LARGEST_SIDE),
    }
    example = torch.zeros(1, 3, least + 79, least + 111)
    model = _model(DensePass(network), (example,), (sides,))
    skips = [skip_name(n) for n in range(len(model.outputs) - 2)]
    return _named(model, [IMAGES], [SCORES, CODES, *skips])


def coarse_model(network: SharpMask) -> openvino.Model:
    """Return the coarse masks of windows as a model: `codes` [N, K] to `mask_logits` [N, m, m]."""
    example = torch.zeros(2, network.config.code)
    model = _model(CoarseMasks(network), (example,), ({0: torch.export.Dim("windows")},))
    return _named(model, [CODES], [MASKS])


def refined_model(network: SharpMask) -> openvino.Model:
    """Return the refinement of windows as a model, of a network that refines.

    Inputs `codes` [N, K] and `skips.0` … [N, C_i, side_i, side_i], output `mask_logits` [N, window, window].
    """
    shapes = skip_shapes(network)
    examples = [torch.zeros(2, network.config.code)]
    examples += [torch.zeros(2, channels, side, side) for channels, side in shapes]
    windows = {0: torch.export.Dim("windows")}
    # a varying number of arguments is one argument to `torch.export`
    free: tuple[Any, ...] = (windows, tuple(windows for _ in shapes))
    model = _model(RefinedMasks(network), tuple(examples), free)
    return _named(model, [CODES, *(skip_name(n) for n in range(len(shapes)))], [MASKS])


def _model(module: nn.Module, examples: tuple[torch.Tensor, ...], free: tuple[Any, ...]) -> openvino.Model:
    model = converted(exported(module.eval(), examples, free))
    fold_constants(model)
    name_convolutions(model, [name for name, _ in module.named_modules()])
    return model


def _named(model: openvino.Model, inputs: list[str], outputs: list[str]) -> openvino.Model:
    for port, name in zip([*model.inputs, *model.outputs], [*inputs, *outputs], strict=True):
        port.set_names({name})
    return model
