"""NanoDet's path aggregation network: resizing and addition, with no convolution but the lateral ones."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from model.network.layers import initialise


class ResizingPan(nn.Module):
    """Three levels of `channels` channels from C3, C4 and C5 (after Liu et al., arXiv:1803.01534).

    A top-down and a bottom-up path, each of bilinear resizing by 2 and addition.
    """

    def __init__(self, in_channels: tuple[int, int, int], channels: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(c, channels, 1) for c in in_channels)
        initialise(self)

    def forward(self, c3: Tensor, c4: Tensor, c5: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return P3, P4 and P5, each [B, channels, h, w], P3 the largest.

        Each side of C3 is a multiple of 4, so that resizing halves and doubles exactly.
        """
        p3, p4, p5 = (layer(x) for layer, x in zip(self.lateral, (c3, c4, c5), strict=True))
        p4 = p4 + upsample(p5)
        p3 = p3 + upsample(p4)
        # bilinear resizing to half, with half-pixel centres, is the mean of four pixels
        p4 = p4 + F.avg_pool2d(p3, 2)
        p5 = p5 + F.avg_pool2d(p4, 2)
        return p3, p4, p5


def upsample(x: Tensor) -> Tensor:
    """Resize [B, C, h, w] to [B, C, 2h, 2w], bilinear with half-pixel centres."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
