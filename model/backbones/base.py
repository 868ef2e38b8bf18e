"""What every backbone offers."""

from __future__ import annotations

from torch import Tensor, nn


class Backbone(nn.Module):
    """Normalised RGB images in, three feature maps out.

    `channels` are those of C3, C4 and C5.
    """

    channels: tuple[int, int, int]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """images: [B, 3, S, S] float. Returns C3, C4, C5, of side S/8, S/16 and S/32 (rounded up)."""
        raise AssertionError(f"{type(self).__name__} must say how it computes C3, C4 and C5")
