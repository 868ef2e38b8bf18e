"""The engines of a proposal network: one for the dense pass, one for each kind of masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.engines.base import Engine
from model.engines.module_engine import ModuleEngine
from model.sharpmask.config import SharpMaskConfig
from model.sharpmask.network import DenseOutputs, SharpMask
from model.sharpmask.parts import CoarseMasks, DensePass, RefinedMasks

MaskEngine = Engine[tuple[Tensor, ...], Tensor]
"""Codes [N, K] and, to refine, the windows' skips in; mask logits [N, side, side] out."""


@dataclass(frozen=True, eq=False)
class ProposalEngines:
    """The engines of one proposal network.

    dense:   of a framed picture [1, 3, H, W], all windows' scores, codes and skips
    coarse:  of codes, coarse masks
    refined: of codes and skips, refined masks; None for DeepMask
    """

    config: SharpMaskConfig
    dense: Engine[Tensor, DenseOutputs]
    coarse: MaskEngine
    refined: MaskEngine | None

    @property
    def device(self) -> torch.device:
        """Device of all inputs and outputs."""
        return torch.device(str(self.dense.device))


def torch_engines(network: SharpMask, precision: str = "fp32") -> ProposalEngines:
    """Return engines that run a network in PyTorch, where it is; `network` in evaluation mode."""
    device = next(network.parameters()).device
    refined = ModuleEngine[tuple[Tensor, ...], Tensor](RefinedMasks(network), device, _float, precision) if (
        network.refinement is not None
    ) else None  # fmt: skip
    return ProposalEngines(
        network.config,
        ModuleEngine[Tensor, DenseOutputs](DensePass(network), device, _dense, precision),
        ModuleEngine[tuple[Tensor, ...], Tensor](CoarseMasks(network), device, _float, precision),
        refined,
    )


def dense_outputs(parts: Mapping[str, NDArray[np.float32]]) -> DenseOutputs:
    """Return the outputs of an exported dense pass, by their names, as `DenseOutputs`, in the same memory."""
    said = {name: torch.from_numpy(part) for name, part in parts.items()}
    skips = sorted((name for name in parts if name.startswith("skips.")), key=lambda name: int(name[6:]))
    return DenseOutputs(said["score_logits"], said["codes"], tuple(said[name] for name in skips))


def mask_logits(parts: Mapping[str, NDArray[np.float32]]) -> Tensor:
    """Return the mask logits of an exported part, in the same memory."""
    return torch.from_numpy(parts["mask_logits"])


def _float(logits: Tensor) -> Tensor:
    return logits.float()


def _dense(outputs: DenseOutputs) -> DenseOutputs:
    skips = tuple(skip.float() for skip in outputs.skips)
    return DenseOutputs(outputs.score_logits.float(), outputs.codes.float(), skips)
