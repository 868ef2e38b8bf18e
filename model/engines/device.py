"""Names of devices, which need no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class AnyDevice(Protocol):
    """The common part of a `Device` and a `torch.device`; `str` of either is a name for PyTorch."""

    @property
    def type(self) -> str:
        """Kind of device, such as cpu or cuda."""

    @property
    def index(self) -> int | None:
        """Number among the devices of its kind; None for the only or current one."""


@dataclass(frozen=True)
class Device:
    """A device by its name."""

    type: str
    index: int | None = None

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"


CPU = Device("cpu")
