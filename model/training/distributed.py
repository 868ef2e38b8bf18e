"""Communication of the processes of a run under torchrun; without it there is a single process.

All of them but `world_size` and `is_first` are collective: every process calls them, in the same order.
"""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

T = TypeVar("T")


def world_size() -> int:
    """Return the number of processes, one a device."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def is_first() -> bool:
    """Return True on the process that writes files and reports."""
    return rank() == 0


def mean(values: Tensor) -> Tensor:
    """Average a float tensor over all processes; not finite where one is not."""
    if world_size() == 1:
        return values
    total = values.detach().clone()
    dist.all_reduce(total)
    return total / world_size()


def anywhere(flag: bool, device: torch.device) -> bool:
    """Return True on every process if the flag is True on any of them."""
    if world_size() == 1:
        return flag
    votes = torch.tensor(float(flag), device=device)
    dist.all_reduce(votes)
    return bool(votes > 0)


def gathered(value: T) -> list[T]:
    """Return the value of each process, in the order of their ranks."""
    if world_size() == 1:
        return [value]
    values: list[Any] = [None] * world_size()
    dist.all_gather_object(values, value)
    return values


def from_first(value: T) -> T:
    """Return the first process's value, on every process."""
    if world_size() == 1:
        return value
    values = [value]
    dist.broadcast_object_list(values, src=0)
    return values[0]
