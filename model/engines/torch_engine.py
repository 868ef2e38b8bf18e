"""PyTorch engine, for the CPU and CUDA devices."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from model.detection.raw_outputs import RawOutputs
from model.engines import OPTIONS
from model.errors import ConfigError
from model.network.yolact import Yolact, fuse_batch_norms

CUDA_SLOTS = 2  # one batch computes while the next one is prepared and enqueued
MAX_GRAPHS = 4  # each holds the memory of all activations

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_WARM_UPS = 3  # passes in which libraries choose their algorithms, before a graph is recorded


class TorchEngine:
    """Runs a copy of a network, its batch norms folded away, in `channels_last`. See `Engine`.

    On the CPU `start` computes at once; on CUDA it only enqueues work on the current stream.

    `network` is that copy, the decoder of the outputs: anchors and mask IoU network are on the device and
    always float32. `cuda_graphs` records the pass once for each batch size and then replays it,
    which saves the launches; outputs are copied out of the graph's memory. It was never run on a GPU.
    `with_levels` asks for `RawOutputs.levels`.

    Raises ConfigError when the device does not compute in that precision.
    """

    name = "torch"

    def __init__(
        self,
        network: Yolact,
        device: torch.device,
        precision: str = "fp32",
        with_masks: bool = True,
        cuda_graphs: bool = False,
        with_levels: bool = False,
    ) -> None:
        _check(network, device, precision, cuda_graphs)
        self.device = device
        self.precision = precision
        self.slots = CUDA_SLOTS if device.type == "cuda" else 1
        self.network = _ready(network, device, _DTYPES[precision])
        self._dtype = _DTYPES[precision]
        self._with_masks = with_masks
        self._with_levels = with_levels
        self._graphs: OrderedDict[int, _Graph] | None = OrderedDict() if cuda_graphs else None

    @torch.inference_mode()
    def start(self, images: Tensor) -> Callable[[], RawOutputs]:
        """See `Engine.start`."""
        outputs = self._forward(images) if self._graphs is None else self._replay(self._graphs, images)
        return lambda: outputs

    def _forward(self, images: Tensor) -> RawOutputs:
        ready = images.to(self._dtype, memory_format=torch.channels_last)
        outputs: RawOutputs = self.network(ready, with_masks=self._with_masks, with_levels=self._with_levels)
        return outputs

    def _replay(self, graphs: OrderedDict[int, _Graph], images: Tensor) -> RawOutputs:
        recorded = graphs.pop(len(images), None) or self._record(images)
        graphs[len(images)] = recorded  # the one used last comes last
        while len(graphs) > MAX_GRAPHS:
            graphs.popitem(last=False)
        recorded.images.copy_(images)
        recorded.graph.replay()
        return RawOutputs._make(None if part is None else part.clone() for part in recorded.outputs)

    def _record(self, images: Tensor) -> _Graph:
        kept = images.clone()
        aside = torch.cuda.Stream(self.device)
        aside.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UPS):
                self._forward(kept)
        torch.cuda.current_stream(self.device).wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            outputs = self._forward(kept)
        return _Graph(kept, graph, outputs)


class _Graph(NamedTuple):
    """A recorded pass, with its input and output memory."""

    images: Tensor
    graph: torch.cuda.CUDAGraph
    outputs: RawOutputs


def _check(network: Yolact, device: torch.device, precision: str, cuda_graphs: bool) -> None:
    there = [o.precision for o in OPTIONS if (o.engine, o.device) == ("torch", device.type)]
    if precision not in there:
        raise ConfigError(
            f"the torch engine does not compute in {precision!r} on {device}; "
            f"there it knows {', '.join(there) or 'nothing'}"
        )
    if device.type == "cpu" and precision != "fp32" and network.config.backbone.deformable_interval:
        raise ConfigError(
            f"{network.config.name} has deformable convolutions, which PyTorch computes in fp32 only on a "
            f"CPU; got {precision!r}"
        )
    if cuda_graphs and device.type != "cuda":
        raise ConfigError(f"CUDA graphs need a CUDA device, got {device}")


def _ready(network: Yolact, device: torch.device, dtype: torch.dtype) -> Yolact:
    fused = fuse_batch_norms(network).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    # anchors and mask IoU network, which read the outputs, keep their precision
    for part in (fused.backbone, fused.fpn, fused.protonet, fused.head):
        part.to(dtype)
    ready: Yolact = fused.requires_grad_(False)
    return ready
