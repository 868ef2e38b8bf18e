"""Batch norms of a network in training: their running statistics are restored after a skipped step."""

from __future__ import annotations

import torch
from torch import nn


def batch_norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    """Return all batch norms, in the order of the network's modules."""
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]


class NormStatistics:
    """Copy of the running statistics, made before a step.

    A forward pass in training mode changes them, so one that is not finite would spoil them for good, even if
    the step is skipped.
    """

    def __init__(self, network: nn.Module) -> None:
        by_kind: dict[torch.dtype, list[torch.Tensor]] = {}
        for norm in batch_norms(network):
            for buffer in norm.buffers():
                by_kind.setdefault(buffer.dtype, []).append(buffer)
        self._pairs = [(live, [buffer.clone() for buffer in live]) for live in by_kind.values()]

    def keep(self) -> None:
        """Copy the present values."""
        for live, kept in self._pairs:
            torch._foreach_copy_(kept, live)

    def put_back(self) -> None:
        """Restore the values that were copied last."""
        for live, kept in self._pairs:
            torch._foreach_copy_(live, kept)
