"""The backbone of NanoDet-g: cross-stage partial blocks (Wang et al., arXiv:1911.11929)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model.config import BackboneConfig
from model.network.backbones.base import Backbone
from model.network.layers import leaky_conv

# (channels as multiples of the width, residual units, stride) of stages 1 to 4
_STAGES = ((1, 1, 1), (2, 2, 2), (4, 2, 2), (8, 3, 2))


class CspUnit(nn.Module):
    """Two 3x3 convolutions, each to half the channels, whose outputs are concatenated."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = leaky_conv(channels, channels // 2)
        self.second = leaky_conv(channels // 2, channels // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, C, h, w]. x: [B, C, h, w]."""
        first = self.first(x)
        return torch.cat([self.second(first), first], dim=1)


class CspStage(nn.Module):
    """A strided 3x3, units on one of two paths, and both paths concatenated: twice the channels."""

    def __init__(self, channels: int, units: int, stride: int) -> None:
        super().__init__()
        self.reduce = leaky_conv(channels, channels, stride)
        self.units = nn.Sequential(*(CspUnit(channels) for _ in range(units)))
        self.merge = leaky_conv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, 2C, h / stride, w / stride]. x: [B, C, h, w]."""
        reduced = self.reduce(x)
        return torch.cat([self.merge(self.units(reduced)), reduced], dim=1)


class CspNet(Backbone):
    """A stem at stride 4 and four stages. All sides of the input are multiples of 32."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.stem = leaky_conv(3, width, stride=2)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.stages = nn.ModuleList(
            CspStage(width * multiple, units, stride) for multiple, units, stride in _STAGES
        )
        self.fine_channels = 2 * width
        self.channels = (4 * width, 8 * width, 16 * width)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return C2 at stride 4, then C3, C4 and C5. See `Backbone.forward`."""
        return self.levels(images)[1:]

    def levels(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the stem's output at stride 2, then C2 to C5. See `Backbone.levels`."""
        features = [self.stem(images)]
        x = self.maxpool(features[0])
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return tuple(features)


def build_csp(config: BackboneConfig) -> CspNet:
    """Return a `CspNet` of the configuration's width."""
    return CspNet(config.width)
