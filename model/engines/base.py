"""Interface of engines: prepared images in, raw outputs out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from model.detection.raw_outputs import RawOutputs


class Engine(Protocol):
    """Runs the forward pass of one network at one input size."""

    @property
    def name(self) -> str:
        """A key of `model.engines.ENGINES`."""

    @property
    def precision(self) -> str:
        """Precision of most of the arithmetic: a key of `PRECISIONS`."""

    @property
    def device(self) -> torch.device:
        """Device of the prepared images and the raw outputs."""

    @property
    def slots(self) -> int:
        """Number of batches that are computed at a time; more do not make it faster."""

    def start(self, images: Tensor) -> Callable[[], RawOutputs]:
        """Start a batch, without waiting where the engine can; call the result to wait for the outputs.

        images: [B, 3, S, S] float32 as `model.preprocess` gives them, on `device`, unchanged until the
        outputs are there. The outputs are float32 on `device`, and stay as they are until `slots` more
        batches were begun. One thread at a time may call this.
        """
