"""OpenVINO engine: the fastest one on a CPU."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from itertools import cycle
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from model.detection.raw_outputs import RawOutputs

if TYPE_CHECKING:
    import openvino

MAX_SHAPES = 6  # compiled models that are kept; each has a copy of the weights

Shape = tuple[int, int, int, int]
"""Of an input: batch size, 3, height and width in pixels."""
Compile = Callable[[Shape], "openvino.CompiledModel"]


class OpenVinoEngine:
    """Runs a compiled model for each shape of the input, compiled when the shape first occurs. See `Engine`.

    `compile_model` returns them, such as `model.engines.compiled_cache.Compiler`. Their input is `images`,
    their outputs the float32 parts of `RawOutputs` by name, with or without `prototypes`. Inputs and outputs
    are not copied.

    `slots` batches are computed at a time, in threads of OpenVINO's own: 1 for models that use all cores
    for each batch (lowest latency), more for models compiled with as many streams (highest throughput).
    """

    name = "openvino"
    device = torch.device("cpu")

    def __init__(self, compile_model: Compile, precision: str, slots: int = 1) -> None:
        self.precision = precision
        self.slots = slots
        self._compile = compile_model
        self._lanes: OrderedDict[Shape, _Lane] = OrderedDict()

    def start(self, images: Tensor) -> Callable[[], RawOutputs]:
        """See `Engine.start`."""
        batch, channels, height, width = images.shape
        return next(self._lane((batch, channels, height, width)).requests).start(images)

    def prepare_for(self, shape: Shape) -> None:
        """Compile for inputs of that shape now rather than when the first one comes."""
        self._lane(shape)

    def _lane(self, shape: Shape) -> _Lane:
        lane = self._lanes.pop(shape, None) or _Lane(self._compile(shape), self.slots)
        self._lanes[shape] = lane  # the one used last comes last
        while len(self._lanes) > MAX_SHAPES:
            self._lanes.popitem(last=False)
        return lane


class _Lane:
    """Requests for inputs of one shape, taken in turn."""

    def __init__(self, compiled: openvino.CompiledModel, slots: int) -> None:
        self.requests = cycle([_Request(compiled.create_infer_request()) for _ in range(slots)])


class _Request:
    """An inference request for one batch at a time."""

    def __init__(self, request: openvino.InferRequest) -> None:
        self._request = request
        self._images: Tensor | None = None  # OpenVINO reads their memory and does not keep it alive

    def start(self, images: Tensor) -> Callable[[], RawOutputs]:
        from openvino import Tensor as Shared

        if self._images is not None:
            self._request.wait()  # the former batch may not have been waited for
        self._images = images.contiguous()
        self._request.set_input_tensor(Shared(self._images.numpy(), shared_memory=True))
        self._request.start_async()
        return self._outputs

    def _outputs(self) -> RawOutputs:
        self._request.wait()
        model = self._request.get_compiled_model()
        parts = {
            name: torch.from_numpy(self._request.get_tensor(port).data)
            for port in model.outputs
            for name in port.get_names()
            if name in RawOutputs._fields
        }
        return RawOutputs(
            parts["box_deltas"], parts["class_logits"], parts["mask_coefficients"], parts.get("prototypes")
        )
