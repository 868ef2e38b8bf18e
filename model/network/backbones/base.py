"""Base class of the backbones."""

from __future__ import annotations

from torch import Tensor, nn


class Backbone(nn.Module):
    """A feature extractor: normalised RGB images in, feature maps out.

    `channels` are those of C3, C4 and C5; `fine_channels` those of C2, 0 when it is not returned.
    """

    channels: tuple[int, int, int]
    fine_channels: int = 0

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return C3, C4 and C5, and C2 before them if `fine_channels` is not 0.

        images: [B, 3, H, W] float. C2 to C5 are at strides 4, 8, 16 and 32, sides rounded up.
        """
        raise AssertionError(f"{type(self).__name__} does not implement forward")

    def levels(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the feature maps at strides 2, 4, 8, 16 and 32, where a backbone offers them all."""
        raise AssertionError(f"{type(self).__name__} offers no features at stride 2")
