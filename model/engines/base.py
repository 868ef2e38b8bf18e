"""What every engine offers: prepared images in, raw outputs out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from model.raw_outputs import RawOutputs


class Engine(Protocol):
    """Runs the forward pass of one network at one input size."""

    @property
    def name(self) -> str:
        """A key of `model.engines.ENGINES`."""

    @property
    def precision(self) -> str:
        """One of `PRECISIONS`, that of most of the arithmetic."""

    @property
    def device(self) -> torch.device:
        """Where prepared images are expected and raw outputs lie."""

    @property
    def slots(self) -> int:
        """How many batches it works on at a time; more does not make it faster."""

    def start(self, images: Tensor) -> Callable[[], RawOutputs]:
        """Begin with a batch and return at once where the engine can; the result waits for the outputs.

        images: [B, 3, S, S] float32 as `model.preprocess` gives them, on `device`, unchanged until the
        outputs are there. The outputs are float32 on `device`, and stay as they are until `slots` more
        batches were begun. One thread at a time may call this.
        """
