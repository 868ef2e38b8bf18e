"""Memory that is used again for every batch, with tensors of any shapes side by side in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

_ALIGNMENT = 64  # bytes; a multiple of every item's size


class Layout(NamedTuple):
    """Shape and dtype of a tensor."""

    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def size(self) -> int:
        """Bytes."""
        return prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True, eq=False)
class Packed:
    """Tensors in one piece of memory, [bytes] uint8. The same layouts lie at the same places."""

    memory: Tensor
    tensors: tuple[Tensor, ...]


class Buffer:
    """One piece of memory that grows when it has to. It must not be in use when it is packed anew."""

    def __init__(self, allocate: Callable[[int], Tensor]) -> None:
        """allocate: gives so many bytes, [size] uint8."""
        self._allocate = allocate
        self._memory: Tensor | None = None

    def pack(self, layouts: Sequence[Layout]) -> Packed:
        """Room for tensors of these layouts; what they hold is what was there before."""
        starts = [0]
        for layout in layouts:
            starts.append(starts[-1] + -(-layout.size // _ALIGNMENT) * _ALIGNMENT)
        memory = self._room(starts[-1])
        places = zip(starts[:-1], layouts, strict=True)
        return Packed(memory, tuple(_view(memory[start:], layout) for start, layout in places))

    def _room(self, size: int) -> Tensor:
        if self._memory is None or len(self._memory) < size:
            self._memory = None  # the old piece goes before the new one comes
            self._memory = self._allocate(size)
        return self._memory[:size]


def _view(memory: Tensor, layout: Layout) -> Tensor:
    return memory[: layout.size].view(layout.dtype).view(layout.shape)
