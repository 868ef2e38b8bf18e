"""Feature extractors of the proposal networks. Each yields its levels, finest first, from stride 2 on.

Batch norms are constant: neither their statistics nor their scale and shift are learned.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck
from torchvision.ops import FrozenBatchNorm2d

from model.network.backbones.csp import CspNet
from model.sharpmask.config import PaddingName, SharpMaskConfig
from model.sharpmask.padding import ReflectConv2d, SymmetricConv2d

_RESNET50_DEPTHS = (3, 4, 6)
# channels of VGG-A's convolutions between its poolings
_VGG_A = ((64,), (128,), (256, 256), (512, 512), (512, 512))


class Trunk(nn.Module):
    """Normalised RGB images in, levels out."""

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the levels, finest first.

        images: [B, 3, H, W] float. Level i, from 0, is [B, C_i, H / 2 ** (i + 1), W / 2 ** (i + 1)], sides
        rounded up.
        """
        raise AssertionError(f"{type(self).__name__} must say how it computes its levels")


class ResNetTrunk(Trunk):
    """ResNet-50 to the end of stage `pools` - 1, torchvision's blocks, with the configuration's padding."""

    def __init__(self, pools: int, padding: PaddingName) -> None:
        super().__init__()
        self.conv1 = SymmetricConv2d(3, 64, 7, stride=2, bias=False)
        self.bn1 = FrozenBatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layers = nn.ModuleList()
        channels = 64
        for stage, depth in enumerate(_RESNET50_DEPTHS[: pools - 1]):
            planes = 64 * 2**stage
            self.layers.append(_stage(channels, planes, depth, 1 if stage == 0 else 2, padding))
            channels = planes * Bottleneck.expansion

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """See `Trunk.forward`."""
        levels = [self.relu(self.bn1(self.conv1(images)))]
        x = self.maxpool(levels[0])
        for stage in self.layers:
            x = stage(x)
            levels.append(x)
        return tuple(levels)


def _stage(in_channels: int, planes: int, depth: int, stride: int, padding: PaddingName) -> nn.Sequential:
    out_channels = planes * Bottleneck.expansion
    downsample = nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), FrozenBatchNorm2d(out_channels)
    )
    blocks = [Bottleneck(in_channels, planes, stride, downsample, norm_layer=FrozenBatchNorm2d)]
    blocks += [Bottleneck(out_channels, planes, norm_layer=FrozenBatchNorm2d) for _ in range(depth - 1)]
    for block in blocks:
        if padding == "reflect":
            block.conv2 = ReflectConv2d(planes, planes, block.stride, bias=False)
        else:
            block.conv2 = SymmetricConv2d(planes, planes, 3, block.stride, bias=False)
    return nn.Sequential(*blocks)


class VggTrunk(Trunk):
    """VGG-A (arXiv:1409.1556) without its last pooling; a level is what a pooling leaves."""

    def __init__(self, pools: int) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.stages = nn.ModuleList()
        channels = 3
        for widths in _VGG_A[: pools + 1]:
            layers: list[nn.Module] = []
            for width in widths:
                layers += [SymmetricConv2d(channels, width), nn.ReLU(inplace=True)]
                channels = width
            self.stages.append(nn.Sequential(*layers))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """See `Trunk.forward`; the last level has passed the convolutions behind its pooling."""
        levels = []
        x = images
        for stage in self.stages[:-1]:
            x = self.pool(stage(x))
            levels.append(x)
        levels[-1] = self.stages[-1](x)
        return tuple(levels)


class CspTrunk(Trunk):
    """The default detector's own backbone to stride 16: its stem, then its first stages."""

    def __init__(self, pools: int) -> None:
        super().__init__()
        whole = CspNet()
        self.stem = whole.stem
        self.maxpool = whole.maxpool
        self.stages = whole.stages[: pools - 1]

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """See `Trunk.forward`."""
        levels = [self.stem(images)]
        x = self.maxpool(levels[0])
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        return tuple(levels)


TRUNKS: dict[str, Callable[[SharpMaskConfig], Trunk]] = {
    "resnet50": lambda config: ResNetTrunk(config.pools, config.padding),
    "vgg_a": lambda config: VggTrunk(config.pools),
    "csp": lambda config: CspTrunk(config.pools),
}


def build_trunk(config: SharpMaskConfig) -> Trunk:
    """Return the configuration's trunk with random weights."""
    return TRUNKS[config.trunk](config)
