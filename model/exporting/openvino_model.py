"""Convert YOLACT to an OpenVINO model of the same arithmetic, with names for its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from model.config import YolactConfig
from model.detection.raw_outputs import RawOutputs
from model.exporting.conversion import converted, exported, fold_constants, name_convolutions
from model.exporting.interface import INPUT, input_sides, without_masks
from model.input_shape import PADDED_TO
from model.outputs import LEVELS, OUTPUTS

if TYPE_CHECKING:
    import openvino

    from model.network.yolact import Yolact


def to_openvino(network: Yolact, with_masks: bool = True, with_levels: bool = False) -> openvino.Model:
    """Convert the network, in evaluation mode and with its batch norms folded away.

    The input `images` is [B, 3, S, S] float32 as `preprocess` returns it, with any B and the network's own S;
    where the aspect ratio is kept it is [B, 3, h, w] with any multiples of 32. The outputs are float32 and
    named `OUTPUTS`; without masks `prototypes` is left out, with levels (and masks) `LEVELS` follow. A
    convolution is named after its module, such as
    `head.bbox_layer`, and numbered where a module is used more than once.
    """
    program = exported_program(network, with_levels)
    model = converted(program, trace_again=bool(network.config.backbone.deformable_interval))
    model.reshape([-1, 3, *input_sides(network.config)])
    fold_constants(model)
    _name(model, [name for name, _ in network.named_modules()])
    return model if with_masks else without_masks(model)


class _WithLevels(nn.Module):
    """A network that returns the backbone's levels, too."""

    def __init__(self, network: Yolact) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> RawOutputs:
        outputs: RawOutputs = self.network(images, with_levels=True)
        return outputs


def exported_program(network: Yolact, with_levels: bool = False) -> torch.export.ExportedProgram:
    """Trace the network by `torch.export`, with a batch of any size, for OpenVINO."""
    from model.network.yolact import (
        fuse_batch_norms,  # here, so that reading what was exported needs no torchvision
    )

    fused = fuse_batch_norms(network).cpu().to(memory_format=torch.contiguous_format)
    # two images: a batch of one would be taken for a constant
    example = torch.zeros(2, 3, *example_sides(network.config))
    whole = _WithLevels(fused) if with_levels else fused
    return exported(whole, (example,), (dynamic_sides(network.config),))


def example_sides(config: YolactConfig) -> tuple[int, int]:
    """Return height and width of an example input; they differ where both are free."""
    side = config.image_size
    return (side, side + PADDED_TO) if config.keeps_aspect_ratio else (side, side)


def dynamic_sides(config: YolactConfig) -> dict[int, Any]:
    """Return the free dimensions of the input, as `torch.export` takes them."""
    free: dict[int, Any] = {0: torch.export.Dim("batch")}
    if config.keeps_aspect_ratio:
        free |= {2: PADDED_TO * torch.export.Dim("rows"), 3: PADDED_TO * torch.export.Dim("columns")}
    return free


def _name(model: openvino.Model, modules: list[str]) -> None:
    model.input(0).set_names({INPUT})
    for output, name in zip(model.outputs, (*OUTPUTS, *LEVELS), strict=False):
        output.set_names({name})
    name_convolutions(model, modules)
