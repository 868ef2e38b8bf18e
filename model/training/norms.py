"""The batch norms of a network in training: kept as they are, or put back after a step that was skipped."""

from __future__ import annotations

import torch
from torch import nn


def batch_norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    """All of them, in the order of the network's modules."""
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]


class NormStatistics:
    """A copy of the running statistics, made before a step.

    A forward pass in training mode changes them, so that one which is not finite would spoil them for
    good, even though no weight learns from it.
    """

    def __init__(self, network: nn.Module) -> None:
        by_kind: dict[torch.dtype, list[torch.Tensor]] = {}
        for norm in batch_norms(network):
            for buffer in norm.buffers():
                by_kind.setdefault(buffer.dtype, []).append(buffer)
        self._pairs = [(live, [buffer.clone() for buffer in live]) for live in by_kind.values()]

    def keep(self) -> None:
        """Take the present values."""
        for live, kept in self._pairs:
            torch._foreach_copy_(kept, live)

    def put_back(self) -> None:
        """Return to the values that were kept last."""
        for live, kept in self._pairs:
            torch._foreach_copy_(live, kept)
