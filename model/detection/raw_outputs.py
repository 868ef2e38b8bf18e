"""Raw outputs of a network, between the engine and the detection step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.outputs import LEVELS


class RawOutputs(NamedTuple):
    """Outputs of the network, all float32; rows are ordered level, y, x, anchor."""

    box_deltas: Tensor  # [B, A, 4], relative to the anchors; anchor-free: distances l t r b in strides
    class_logits: Tensor  # [B, A, C + 1], background first, before the softmax; anchor-free: [B, A, C]
    mask_coefficients: Tensor  # [B, A, K], -1..1; anchor-free: [B, A, K + 6], see `detection.masks.in_place`
    prototypes: Tensor | None  # [B, Hp, Wp, K], not negative; None in boxes-only mode
    semantic_logits: Tensor | None = None  # [B, C, h3, w3], in training mode only
    box_distribution: Tensor | None = None  # [B, A, 4, bins] logits, anchor-free in training mode only
    # the backbone's features of the whole input, [B, C, h, w] at the stride in the name; all four or none
    level_2: Tensor | None = None
    level_4: Tensor | None = None
    level_8: Tensor | None = None
    level_16: Tensor | None = None

    @property
    def levels(self) -> tuple[Tensor, ...] | None:
        """The backbone's features, finest first; None unless the engine was asked for them."""
        levels = tuple(part for name in LEVELS if (part := getattr(self, name)) is not None)
        return levels or None

    def image(self, number: int) -> RawOutputs:
        """Return the outputs of one image of the batch, B = 1; the memory is shared.

        On the CPU each image is decoded by itself: PyTorch rounds the exponentials of a tensor's last few
        values differently, so the result would depend on the other images of the batch.
        """
        return RawOutputs._make(part if part is None else part[number : number + 1] for part in self)


def raw_outputs(parts: Mapping[str, NDArray[np.float32]]) -> RawOutputs:
    """Return an engine's outputs by their names as `RawOutputs`, in the same memory; some may be absent."""
    known = {name: torch.from_numpy(part) for name, part in parts.items()}
    own = RawOutputs(
        known["box_deltas"], known["class_logits"], known["mask_coefficients"], known.get("prototypes")
    )
    return own._replace(**{name: known[name] for name in LEVELS if name in known})
