"""Convert a PyTorch network to an OpenVINO model of the same arithmetic.

Uses `torch.export` and OpenVINO's PyTorch frontend instead of `openvino.convert_model`, which reports its use
and warns with PyTorch's newest releases.
"""

from __future__ import annotations

import warnings
from operator import getitem
from typing import TYPE_CHECKING, Any

import torch

from model.config import YolactConfig
from model.engines.openvino_core import refuse_telemetry
from model.input_shape import PADDED_TO

if TYPE_CHECKING:
    import openvino

    from model.network.yolact import Yolact

INPUT = "images"
BOX_OUTPUTS = ("box_deltas", "class_logits", "mask_coefficients")
PROTOTYPES = "prototypes"
OUTPUTS = (*BOX_OUTPUTS, PROTOTYPES)
"""The outputs by name, in the order and layout of `RawOutputs`."""


def to_openvino(network: Yolact, with_masks: bool = True) -> openvino.Model:
    """Convert the network, in evaluation mode and with its batch norms folded away.

    The input `images` is [B, 3, S, S] float32 as `preprocess` returns it, with any B and the network's own S;
    where the aspect ratio is kept it is [B, 3, h, w] with any multiples of 32. The outputs are float32 and
    named `OUTPUTS`; without masks `prototypes` is left out. A convolution is named after its module, such as
    `head.bbox_layer`, and numbered where a module is used more than once.
    """
    refuse_telemetry()
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.fx_decoder import TorchFXPythonDecoder

    program = exported_program(network)
    frontend = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchFXPythonDecoder(_in_parts(program, network.config), dynamic_shapes=True)
    model = frontend.convert(frontend.load(decoder))
    model.reshape([-1, 3, *input_sides(network.config)])
    _fold_constants(model)
    _name(model, [name for name, _ in network.named_modules()])
    return model if with_masks else without_masks(model)


def without_masks(model: openvino.Model) -> openvino.Model:
    """Return a copy of a model without the prototypes and the operations that only they need."""
    refuse_telemetry()
    from openvino import Model

    copy = model.clone()
    kept = Model([copy.output(name) for name in BOX_OUTPUTS], copy.get_parameters(), copy.get_friendly_name())
    for key, value in model.get_rt_info().items():
        kept.set_rt_info(value, key)
    return kept


def exported_program(network: Yolact) -> torch.export.ExportedProgram:
    """Trace the network by `torch.export`, with a batch of any size, for OpenVINO."""
    from model.network.yolact import (
        fuse_batch_norms,  # here, so that reading what was exported needs no torchvision
    )

    fused = fuse_batch_norms(network).cpu().to(memory_format=torch.contiguous_format)
    # two images: a batch of one would be taken for a constant
    example = torch.zeros(2, 3, *example_sides(network.config))
    with warnings.catch_warnings(action="ignore"):  # PyTorch warns of its own code
        return torch.export.export(
            fused.requires_grad_(False),
            (example,),
            dynamic_shapes=(dynamic_sides(network.config),),
            strict=False,
        )


def input_sides(config: YolactConfig) -> tuple[int, int]:
    """Return height and width of the input, in pixels; -1 for any, where the aspect ratio is kept."""
    return (-1, -1) if config.keeps_aspect_ratio else (config.image_size, config.image_size)


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


def _in_parts(program: torch.export.ExportedProgram, config: YolactConfig) -> torch.fx.GraphModule:
    """Decompose the operations that OpenVINO does not support as a whole; the others are faster whole.

    Networks with deformable convolutions hold more kinds of operations, which PyTorch decomposes by tracing
    again; that takes many times as long as the rest of a conversion.
    """
    aten = torch.ops.aten
    if config.backbone.deformable_interval:
        table = torch.export.default_decompositions()
        few = {op: table[op] for op in (aten.conv2d.default, aten.max_pool2d.default)}
        return program.run_decompositions(few).module()
    module = program.module()
    for node in list(module.graph.nodes):
        with module.graph.inserting_before(node):
            if node.target == aten.conv2d.default:
                parts = _convolution_arguments(*node.args)
                part = module.graph.call_function(aten.convolution.default, parts)
            elif node.target == aten.max_pool2d.default:
                both = module.graph.call_function(aten.max_pool2d_with_indices.default, node.args)
                part = module.graph.call_function(getitem, (both, 0))
            elif node.target == aten.softmax.int:
                part = module.graph.call_function(aten._softmax.default, (*node.args[:2], False))
            elif node.target == aten.reshape.default:
                part = module.graph.call_function(aten.view.default, node.args)
            elif node.target == aten.to.dtype and node.args[0].meta["val"].dtype == node.args[1]:
                part = node.args[0]
            else:
                continue
        part.meta = part.meta or node.meta
        node.replace_all_uses_with(part)
        module.graph.erase_node(node)
    module.recompile()
    return module


def _convolution_arguments(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = (1, 1),
    padding: Any = (0, 0),
    dilation: Any = (1, 1),
    groups: int = 1,
) -> tuple[Any, ...]:
    """Return the arguments of `aten.convolution` for those of `aten.conv2d`."""
    transposed, output_padding = False, [0, 0]
    lists = (list(stride), list(padding), list(dilation))
    return (x, weight, bias, *lists, transposed, output_padding, groups)


def _fold_constants(model: openvino.Model) -> None:
    """Fold constants that follow from known shapes, so that a bias is a constant again."""
    from openvino.passes import ConstantFolding, Manager

    manager = Manager()
    manager.register_pass(ConstantFolding())
    manager.run_passes(model)


def _name(model: openvino.Model, modules: list[str]) -> None:
    model.input(0).set_names({INPUT})
    for output, name in zip(model.outputs, OUTPUTS, strict=False):
        output.set_names({name})
    _name_convolutions(model, modules)


def _name_convolutions(model: openvino.Model, modules: list[str]) -> None:
    # a weight bears its parameter's name, with underscores for dots
    weights = {f"{module.replace('.', '_')}_weight": module for module in modules}
    uses: dict[str, int] = {}
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Convolution":
            continue
        names = {name.partition(":")[0] for name in node.input_value(1).get_names()}
        module = next((weights[name] for name in sorted(names) if name in weights), None)
        if module is not None:
            number = uses[module] = uses.get(module, 0) + 1
            node.set_friendly_name(module if number == 1 else f"{module}#{number}")
