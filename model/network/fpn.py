"""Feature pyramid (Lin et al., arXiv:1612.03144) in YOLACT's form: P3 to P7 (paper, section 3.2)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from model.network.layers import conv, initialise


class FPN(nn.Module):
    """Five levels of `channels` channels from C3, C4 and C5.

    `lat_layers` and `pred_layers` are stored from C5 down to C3, as in the published checkpoints.
    """

    def __init__(
        self, in_channels: tuple[int, int, int], channels: int = 256, batch_norm: bool = False
    ) -> None:
        super().__init__()
        self.lat_layers = nn.ModuleList(
            conv(c, channels, 1, batch_norm=batch_norm) for c in reversed(in_channels)
        )
        self.pred_layers = nn.ModuleList(
            conv(channels, channels, 3, batch_norm=batch_norm) for _ in in_channels
        )
        self.downsample_layers = nn.ModuleList(
            conv(channels, channels, 3, stride=2, batch_norm=batch_norm) for _ in range(2)
        )
        initialise(self)

    def forward(self, c3: Tensor, c4: Tensor, c5: Tensor) -> tuple[Tensor, ...]:
        """Return P3 to P7, each [B, channels, h, w], P3 the largest. No ReLU on P6 and P7 (as released)."""
        top_down: list[Tensor] = []
        for lateral, features in zip(self.lat_layers, (c5, c4, c3), strict=True):
            x = lateral(features)
            if top_down:
                above = F.interpolate(top_down[-1], size=x.shape[-2:], mode="bilinear", align_corners=False)
                x = x + above
            top_down.append(x)
        p5, p4, p3 = (F.relu(layer(x)) for layer, x in zip(self.pred_layers, top_down, strict=True))
        p6 = self.downsample_layers[0](p5)
        p7 = self.downsample_layers[1](p6)
        return p3, p4, p5, p6, p7
