"""PyTorch engine of one module, for networks that run in parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

Inputs = TypeVar("Inputs", bound=Tensor | tuple[Tensor, ...], contravariant=True)
Outputs = TypeVar("Outputs", covariant=True)

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class ModuleEngine(Generic[Inputs, Outputs]):
    """Runs a module, in evaluation mode, on the device where it is. See `Engine`.

    On the CPU `start` computes at once; on CUDA it only enqueues work on the current stream. Below fp32 the
    convolutions and products are computed in that precision, and outputs are float32 again.

    read: makes the outputs of what the module returns, in float32; None where that is one tensor
    """

    name = "torch"
    slots = 1

    def __init__(
        self,
        module: nn.Module,
        device: torch.device,
        read: Callable[[Any], Outputs],
        precision: str = "fp32",
    ) -> None:
        self.device = device
        self.precision = precision
        self._module = module
        self._read = read

    @torch.inference_mode()
    def start(self, inputs: Inputs, /) -> Callable[[], Outputs]:
        """See `Engine.start`."""
        given = (inputs,) if isinstance(inputs, Tensor) else inputs
        if self.precision == "fp32":
            outputs = self._read(self._module(*given))
        else:
            with torch.autocast(self.device.type, _DTYPES[self.precision]):
                made = self._module(*given)
            outputs = self._read(made)
        return lambda: outputs
