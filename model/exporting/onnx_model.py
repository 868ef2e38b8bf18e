"""Convert a PyTorch network to an ONNX file by PyTorch's exporter."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from model.atomic import draft_folder
from model.config import YolactConfig
from model.errors import ConfigError
from model.exporting.exported import SECTION, Facts
from model.exporting.interface import INPUT
from model.exporting.openvino_model import dynamic_sides, example_sides
from model.network.yolact import Yolact, fuse_batch_norms
from model.outputs import BOX_OUTPUTS, OUTPUTS

OPSET = 18
_NEEDED = ("onnx", "onnxscript")


class _Outputs(nn.Module):
    """The network's outputs as a plain tuple, with or without prototypes."""

    def __init__(self, network: Yolact, with_masks: bool) -> None:
        super().__init__()
        self.network = network
        self.with_masks = with_masks

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        raw = self.network(images, with_masks=self.with_masks)
        return tuple(part for part in raw if part is not None)


def require_onnx(config: YolactConfig) -> None:
    """Raise ConfigError when a network of this configuration cannot be exported to ONNX here."""
    if config.backbone.deformable_interval:
        raise ConfigError(
            f"{config.name} has deformable convolutions, which cannot be read back from ONNX here, so the "
            "file would be unproven; choose `--format openvino`"
        )
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"exporting to ONNX needs {' and '.join(missing)}; run `pip install {' '.join(missing)}`, or "
            "choose `--format openvino`"
        )


def write_onnx(network: Yolact, path: Path, facts: Facts, with_masks: bool = True) -> None:
    """Write the network, batch norms folded away, as one ONNX file that holds its facts as metadata.

    Input and outputs are those of `to_openvino`, with any batch size. Raises ConfigError when a package is
    missing or the network has deformable convolutions, and OSError.
    """
    require_onnx(network.config)
    wanted = _Outputs(fuse_batch_norms(network).cpu(), with_masks).eval().requires_grad_(False)
    with warnings.catch_warnings(action="ignore"):
        program = torch.onnx.export(
            wanted,
            # two images: a batch of one would be taken for a constant
            (torch.zeros(2, 3, *example_sides(network.config)),),
            input_names=[INPUT],
            output_names=OUTPUTS if with_masks else BOX_OUTPUTS,
            dynamic_shapes=(dynamic_sides(network.config),),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    _forget_sources(program.model.graph)
    for key, text in facts.to_texts().items():
        program.model.metadata_props[f"{SECTION}.{key}"] = text
    with draft_folder(path) as draft:
        program.save(draft, external_data=False)


def _forget_sources(graph: Any) -> None:
    """Remove the stack traces that PyTorch writes beside each operation; they name folders of its user."""
    for part in (*graph, *graph.inputs, *graph.initializers.values()):
        part.metadata_props.clear()
    for node in graph:
        for value in node.outputs:
            value.metadata_props.clear()
