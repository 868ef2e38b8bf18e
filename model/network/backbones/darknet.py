"""DarkNet-53 (Redmon and Farhadi, YOLOv3, arXiv:1804.02767), named as in the published checkpoint."""

from __future__ import annotations

from torch import Tensor, nn

from model.config import BackboneConfig
from model.network.backbones.base import Backbone

DEPTHS = (1, 2, 8, 8, 4)


def _conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.LeakyReLU(0.1, inplace=True),
    )


class DarkNetBlock(nn.Module):
    """1x1 to half the channels and 3x3 back, added to the input without a further activation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = _conv(channels, channels // 2, 1)
        self.conv2 = _conv(channels // 2, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, C, H, W]. x: [B, C, H, W]."""
        y: Tensor = self.conv2(self.conv1(x))
        return y + x


class DarkNet53(Backbone):
    """A 3x3 stem and five stages, each a stride-2 3x3 and residual blocks; stages 2 to 4 give C3 to C5."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self._preconv = _conv(3, width, 3)
        self.layers = nn.ModuleList()
        for stage, depth in enumerate(DEPTHS):
            channels = width * 2 ** (stage + 1)
            blocks = (DarkNetBlock(channels) for _ in range(depth))
            self.layers.append(nn.Sequential(_conv(channels // 2, channels, 3, stride=2), *blocks))
        self.channels = (width * 8, width * 16, width * 32)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `Backbone.forward`."""
        c2 = self.layers[1](self.layers[0](self._preconv(images)))
        c3 = self.layers[2](c2)
        c4 = self.layers[3](c3)
        c5 = self.layers[4](c4)
        return c3, c4, c5


def build_darknet53(config: BackboneConfig) -> DarkNet53:
    """Return a `DarkNet53` of the configuration's width; the published one is 32."""
    return DarkNet53(config.width)
