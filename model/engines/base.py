"""Interface of engines: prepared inputs in, a network's outputs out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from model.engines.device import AnyDevice

if TYPE_CHECKING:
    from torch import Tensor

    from model.detection.raw_outputs import RawOutputs

Inputs = TypeVar("Inputs", contravariant=True)
Outputs = TypeVar("Outputs", covariant=True)


class Engine(Protocol[Inputs, Outputs]):
    """Runs the forward pass of one network, or of one part of a network.

    The inputs are one array or a tuple of them, the outputs what the network returns: `YolactEngine` for
    YOLACT in tensors, `model.host.outputs.HostEngine` for the same in arrays, `model.sharpmask.engines` for
    the parts of SharpMask.
    """

    @property
    def name(self) -> str:
        """A key of `model.engines.ENGINES`."""

    @property
    def precision(self) -> str:
        """Precision of most of the arithmetic: a key of `PRECISIONS`."""

    @property
    def device(self) -> AnyDevice:
        """Device that computes; tensors are on it."""

    @property
    def slots(self) -> int:
        """Number of batches that are computed at a time; more do not make it faster."""

    def start(self, inputs: Inputs, /) -> Callable[[], Outputs]:
        """Start a batch, without waiting where the engine can; call the result to wait for the outputs.

        inputs: float32, unchanged until the outputs are there. The outputs are float32, and stay as they are
        until `slots` more batches were begun. One thread at a time may call this.
        """


YolactEngine: TypeAlias = "Engine[Tensor, RawOutputs]"
"""Images [B, 3, S, S] as `model.preprocessing` makes them in, raw outputs out."""
