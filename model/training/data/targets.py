"""Training targets of one image."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Targets:
    """The N labelled objects of one image at the network's input size S, and the coverage of the labels.

    boxes:      [N, 4] float32, x1 y1 x2 y2 relative to the image, 0..1
    classes:    [N] int64, 0-based, background not counted
    masks:      [N, S, S] uint8, bool or float, 1 inside; all zero where `has_mask` is False
    crowd:      [N] bool, True for a region of many objects without individual labels
    has_mask:   [N] bool, False for objects of which only the box is known; None: all have one
    labelled:   [C] bool, the classes that were labelled in this image at all; None: every class.
                Nothing is learned as background from a class that nobody labelled
    exhaustive: False when objects of the labelled classes may be there without a label; then only what
                overlaps a labelled object counts as background
    """

    boxes: Tensor
    classes: Tensor
    masks: Tensor
    crowd: Tensor
    has_mask: Tensor | None = None
    labelled: Tensor | None = None
    exhaustive: bool = True

    def __len__(self) -> int:
        return len(self.classes)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Targets:
        """Return the targets on another device."""
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        for name, value in values.items():
            if isinstance(value, Tensor):
                values[name] = value.to(device, non_blocking=non_blocking)
        return Targets(**values)
