"""Read the published detector NanoDet-g (RangiLyu, Apache-2.0) from a TensorFlow.js graph model.

The graph is two files: a json with the operations and a list of weights, and a binary file beside it that
holds the weights one after another. Nothing in them is executed: convolutions are taken in their order of
execution, their kernels and biases compared with the parameters that they become.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.errors import CheckpointError
from model.network.backbones.csp import CspNet
from model.network.heads import AnchorFreeHead
from model.network.pan import ResizingPan
from model.network.yolact import Yolact

_LARGEST_GRAPH = 16 << 20  # bytes of json; the published one has 0.1 MB
_CONVOLUTION = "PartitionedCall/convolution"
_DTYPES: dict[str, np.dtype[Any]] = {
    "float32": np.dtype("<f4"),
    "float16": np.dtype("<f2"),
    "int32": np.dtype("<i4"),
}


def load_nanodet(network: Yolact, graph: Path) -> None:
    """Replace backbone, neck and box head of an anchor-free network by those of a NanoDet-g graph.

    The protonet and the coefficient branch keep their weights. The graph expects BGR and the network RGB,
    so the channels of the first convolution change places.

    Raises CheckpointError, with the network as it was, when the network has other parts, and when a file is
    absent, truncated or not this graph; the first convolution that does not fit is named.
    """
    layers = list(_layers(network))
    kernels = read_convolutions(graph)
    if len(kernels) != len(layers):
        raise CheckpointError(
            f"{graph}: expected {len(layers)} convolutions of NanoDet-g, got {len(kernels)}"
        )
    state: dict[str, Tensor] = {}
    for (name, layer), kernel in zip(layers, kernels, strict=True):
        # HWIO -> OIHW
        weight = np.ascontiguousarray(kernel.weight.transpose(3, 2, 0, 1))
        if weight.shape != tuple(layer.weight.shape) or kernel.bias.shape != weight.shape[:1]:
            raise CheckpointError(
                f"{graph}: {kernel.name}: expected a kernel {list(layer.weight.shape)} for {name}, "
                f"got {list(weight.shape)} and a bias {list(kernel.bias.shape)}"
            )
        if not (np.isfinite(weight).all() and np.isfinite(kernel.bias).all()):
            raise CheckpointError(f"{graph}: {kernel.name}: it holds values that are not finite")
        state[f"{name}.weight"] = torch.from_numpy(weight)
        state[f"{name}.bias"] = torch.from_numpy(kernel.bias)
    first = f"{layers[0][0]}.weight"
    state[first] = state[first].flip(1)
    network.load_state_dict(state, strict=False)


@dataclass(frozen=True, eq=False)
class Convolution:
    """One convolution of the graph: weight [H, W, I, O] and bias [O], both float32."""

    name: str
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]


def read_convolutions(graph: Path) -> list[Convolution]:
    """Return the graph's convolutions with their biases, in the order of execution.

    Raises CheckpointError when a file is absent, truncated or no TensorFlow.js graph model.
    """
    content = _json(graph)
    try:
        nodes = {node["name"]: node for node in content["modelTopology"]["node"]}
        groups = content["weightsManifest"]
        weights: dict[str, NDArray[np.float32]] = {}
        for group in groups:
            weights |= _weights(graph, group)
        return [_convolution(graph, name, nodes, weights) for name in _in_order(nodes)]
    except (KeyError, TypeError, IndexError, AttributeError, ValueError, OverflowError) as error:
        raise CheckpointError(
            f"{graph}: not a TensorFlow.js graph model as it is published for NanoDet-g ({error!r})"
        ) from error


def _json(graph: Path) -> Any:
    try:
        if graph.stat().st_size > _LARGEST_GRAPH:
            raise CheckpointError(
                f"{graph}: too large for a graph's json; expected the small one of two files"
            )
        return json.loads(graph.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"{graph}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{graph}: no json, or a truncated one ({error})") from error


def _weights(graph: Path, group: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
    """Return the float32 weights of one group of the manifest."""
    content = b"".join(_binary(graph, str(path)) for path in group["paths"])
    arrays: dict[str, NDArray[np.float32]] = {}
    start = 0
    for entry in group["weights"]:
        stored = entry.get("quantization", {}).get("dtype", entry["dtype"])
        if stored not in _DTYPES:
            raise CheckpointError(f"{graph}: {entry['name']}: weights stored as {stored!r} are not read")
        shape = tuple(int(side) for side in entry["shape"])
        if min(shape, default=0) < 0:
            raise CheckpointError(f"{graph}: {entry['name']}: a shape of {list(shape)} makes no sense")
        end = start + math.prod(shape) * _DTYPES[stored].itemsize
        if end > len(content):
            raise CheckpointError(
                f"{graph}: {entry['name']}: its weights end at byte {end}, but the binary file has "
                f"{len(content)}; it is truncated"
            )
        if entry["dtype"] == "float32":
            arrays[entry["name"]] = (
                np.frombuffer(content[start:end], _DTYPES[stored]).reshape(shape).astype("f4")
            )
        start = end
    if start != len(content):
        raise CheckpointError(
            f"{graph}: its weights take {start} bytes, but the binary file has {len(content)}; the two files "
            "do not belong together"
        )
    return arrays


def _binary(graph: Path, name: str) -> bytes:
    path = graph.with_name(Path(name).name)  # never outside of the graph's own folder
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read: {error.strerror or error}; expected it beside {graph}"
        ) from error


def _in_order(nodes: Mapping[str, Any]) -> list[str]:
    names = [name for name, node in nodes.items() if node["op"] == "Conv2D" and name.startswith(_CONVOLUTION)]
    return sorted(names, key=lambda name: int(name.removeprefix(_CONVOLUTION).strip("_") or 0))


def _convolution(
    graph: Path, name: str, nodes: Mapping[str, Any], weights: Mapping[str, NDArray[np.float32]]
) -> Convolution:
    biases = [node["input"][1] for node in nodes.values() if node["op"] == "Add" and node["input"][0] == name]
    kernel = nodes[name]["input"][1]
    missing = next((key for key in (kernel, *biases[:1]) if key not in weights), None)
    if missing is not None or not biases or weights[kernel].ndim != 4:
        raise CheckpointError(f"{graph}: {name}: expected a kernel of four dimensions and a bias behind it")
    return Convolution(name, weights[kernel], weights[biases[0]])


def _layers(network: Yolact) -> Iterator[tuple[str, nn.Conv2d]]:
    """Yield the convolutions that network and graph share, with their names, in the graph's order."""
    backbone, neck, head = network.backbone, network.fpn, network.head
    if not (
        isinstance(backbone, CspNet) and isinstance(neck, ResizingPan) and isinstance(head, AnchorFreeHead)
    ):
        raise CheckpointError(f"NanoDet-g's weights fit livemask_n, _s and _m, not {network.config.name}")
    for part, name in ((backbone, "backbone"), (neck, "fpn")):
        for inner, module in part.named_modules():
            if isinstance(module, nn.Conv2d):
                yield f"{name}.{inner}", module
    for level, (tower, last) in enumerate(zip(head.tower, head.output, strict=True)):
        assert isinstance(tower, nn.Conv2d)
        assert isinstance(last, nn.Conv2d)
        yield f"head.tower.{level}", tower
        yield f"head.output.{level}", last
