"""Convert a PyTorch module to an OpenVINO model of the same arithmetic.

Uses `torch.export` and OpenVINO's PyTorch frontend instead of `openvino.convert_model`, which reports its use
and warns with PyTorch's newest releases.
"""

from __future__ import annotations

import warnings
from operator import getitem
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from model.engines.openvino_core import refuse_telemetry
from model.errors import ConfigError

if TYPE_CHECKING:
    import openvino


def exported(
    module: nn.Module, examples: tuple[Tensor, ...], dynamic_shapes: tuple[dict[int, Any], ...]
) -> torch.export.ExportedProgram:
    """Trace a module, in evaluation mode, by `torch.export`; its parameters are frozen.

    dynamic_shapes: the free dimensions of each input, as `torch.export` takes them
    """
    with warnings.catch_warnings(action="ignore"):  # PyTorch warns of its own code
        return torch.export.export(
            module.requires_grad_(False), examples, dynamic_shapes=dynamic_shapes, strict=False
        )


def converted(program: torch.export.ExportedProgram, trace_again: bool = False) -> openvino.Model:
    """Return an exported program as an OpenVINO model. `trace_again`: see `_in_parts`."""
    refuse_telemetry()
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.fx_decoder import TorchFXPythonDecoder

    kinds = _paddings(program)
    frontend = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchFXPythonDecoder(_in_parts(program, trace_again), dynamic_shapes=True)
    model = frontend.convert(frontend.load(decoder))
    if kinds == {"replicate"}:
        _repeat_edges(model)
    return model


def _in_parts(program: torch.export.ExportedProgram, trace_again: bool) -> torch.fx.GraphModule:
    """Decompose the operations that OpenVINO does not support as a whole; the others are faster whole.

    Networks with deformable convolutions hold more kinds of operations, which PyTorch decomposes by tracing
    again; that takes many times as long as the rest of a conversion.
    """
    aten = torch.ops.aten
    if trace_again:
        table = torch.export.default_decompositions()
        few = {op: table[op] for op in (aten.conv2d.default, aten.max_pool2d.default)}
        return program.run_decompositions(few).module()
    module = program.module()
    for node in list(module.graph.nodes):
        with module.graph.inserting_before(node):
            part = _part(module.graph, node)
        if part is not node:
            part.meta = part.meta or node.meta
            node.replace_all_uses_with(part)
            module.graph.erase_node(node)
    module.recompile()
    return module


def _part(graph: torch.fx.Graph, node: torch.fx.Node) -> Any:
    """Return what replaces an operation; the node itself where OpenVINO supports it."""
    aten = torch.ops.aten
    arguments: tuple[Any, ...] = node.args
    if node.target == aten.conv2d.default:
        return graph.call_function(aten.convolution.default, _convolution_arguments(*arguments))
    if node.target == aten.max_pool2d.default:
        both = graph.call_function(aten.max_pool2d_with_indices.default, node.args)
        return graph.call_function(getitem, (both, 0))
    if node.target == aten.softmax.int:
        return graph.call_function(aten._softmax.default, (*node.args[:2], False))
    if node.target == aten.reshape.default:
        return graph.call_function(aten.view.default, node.args)
    if node.target == aten.pad.default:
        return graph.call_function(aten.reflection_pad2d.default, (arguments[0], list(arguments[1])))
    if node.target == aten.dropout.default:  # in evaluation mode
        return arguments[0]
    if node.target == aten.to.dtype and arguments[0].meta["val"].dtype == arguments[1]:
        return arguments[0]
    return node


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


def _paddings(program: torch.export.ExportedProgram) -> set[str]:
    """Return the modes of a program's paddings. Raises ConfigError where there are several."""
    nodes = [n for n in program.graph.nodes if n.target == torch.ops.aten.pad.default]
    kinds = {str(dict(enumerate(node.args)).get(2, "constant")) for node in nodes}
    if len(kinds) > 1 or not kinds <= {"replicate", "reflect"}:
        raise ConfigError(f"paddings of the kind {' and '.join(sorted(kinds))} cannot be converted together")
    return kinds


def _repeat_edges(model: openvino.Model) -> None:
    """Make every padding by reflection one by repeated edges, which `_part` put it in the place of.

    OpenVINO's frontend for exported programs knows reflection alone, its models know both.
    """
    from openvino import opset13

    for node in model.get_ordered_ops():
        if node.get_type_name() == "Pad" and node.get_attributes()["pad_mode"] == "reflect":
            inputs = [node.input_value(index) for index in range(3)]
            node.output(0).replace(opset13.pad(*inputs, "edge").output(0))


def fold_constants(model: openvino.Model) -> None:
    """Fold constants that follow from known shapes, so that a bias is a constant again."""
    from openvino.passes import ConstantFolding, Manager

    manager = Manager()
    manager.register_pass(ConstantFolding())
    manager.run_passes(model)


def name_convolutions(model: openvino.Model, modules: list[str]) -> None:
    """Name each convolution after its module, and number it where a module is used more than once."""
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
