"""OpenVINO engine: the fastest one on a CPU."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from itertools import cycle
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from model.engines.device import CPU, Device

if TYPE_CHECKING:
    import openvino

MAX_SHAPES = 6  # compiled models that are kept; each has a copy of the weights

Shape = tuple[int, ...]
"""Of the first input, such as batch size, 3, height and width in pixels."""
Compile = Callable[[Shape | None], "openvino.CompiledModel"]
"""Returns a model compiled for inputs of that shape, or for those of any shape for None."""

Inputs = TypeVar("Inputs", contravariant=True)
Outputs = TypeVar("Outputs", covariant=True)


class OpenVinoEngine(Generic[Inputs, Outputs]):
    """Runs a compiled model for each shape of the input, compiled when the shape first occurs. See `Engine`.

    compile_model: such as `model.engines.compiled_cache.Compiler`
    read:          makes the outputs of the model's float32 outputs by name, such as
                   `model.host.outputs.image_outputs`
    slots:         batches that are computed at a time, in threads of OpenVINO's own: 1 for models that use
                   all cores for each batch (lowest latency), more for models compiled with as many streams
                   (highest throughput)
    any_shape:     compile one model for inputs of any shape: as fast where most of the time goes into large
                   convolutions, and nothing is compiled when a new shape comes

    Inputs are arrays, or tensors on the CPU; several are given as a tuple in the model's own order. Neither
    they nor the outputs are copied.
    """

    name = "openvino"
    device: Device = CPU

    def __init__(
        self,
        compile_model: Compile,
        precision: str,
        read: Callable[[Mapping[str, NDArray[np.float32]]], Outputs],
        slots: int = 1,
        any_shape: bool = False,
    ) -> None:
        self.precision = precision
        self.slots = slots
        self._compile = compile_model
        self._read = read
        self._any_shape = any_shape
        self._lanes: OrderedDict[Shape | None, _Lane] = OrderedDict()

    def start(self, inputs: Inputs, /) -> Callable[[], Outputs]:
        """See `Engine.start`."""
        given: tuple[Any, ...] = inputs if isinstance(inputs, tuple) else (inputs,)
        arrays = tuple(np.ascontiguousarray(one) for one in given)  # of tensors on the CPU it copies nothing
        shape = None if self._any_shape else arrays[0].shape
        wait = next(self._lane(shape).requests).start(arrays)
        return lambda: self._read(wait())

    def prepare_for(self, shape: Shape | None) -> None:
        """Compile for inputs of that shape now rather than when the first one comes."""
        self._lane(shape)

    def _lane(self, shape: Shape | None) -> _Lane:
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
        # OpenVINO reads their memory and does not keep it alive
        self._inputs: tuple[NDArray[np.float32], ...] = ()

    def start(self, inputs: tuple[NDArray[np.float32], ...]) -> Callable[[], dict[str, NDArray[np.float32]]]:
        from openvino import Tensor

        if self._inputs:
            self._request.wait()  # the former batch may not have been waited for
        self._inputs = inputs
        for index, one in enumerate(inputs):
            self._request.set_input_tensor(index, Tensor(one, shared_memory=True))
        self._request.start_async()
        return self._outputs

    def _outputs(self) -> dict[str, NDArray[np.float32]]:
        self._request.wait()
        model = self._request.get_compiled_model()
        return {
            name: np.asarray(self._request.get_tensor(port).data)
            for port in model.outputs
            for name in port.get_names()
        }
