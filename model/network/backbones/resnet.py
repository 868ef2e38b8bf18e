"""ResNet (He et al., arXiv:1512.03385), optionally with deformable convolutions (YOLACT++, section 6.1).

Torchvision's blocks, with the stride on the 3x3. Parameters are named as in the published checkpoints:
`conv1`, `bn1`, `layers.{stage}.{block}.…`.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.ops import deform_conv2d

from model.config import BackboneConfig
from model.network.backbones.base import Backbone


class DeformableConv2d(nn.Module):
    """Modulated deformable 3x3 convolution (Zhu et al., arXiv:1811.11168).

    A plain 3x3 of the same stride predicts, for each of the 9 taps, a shift (18 channels, y before x) and
    the logit of a weight (9 channels).
    """

    TAPS = 9

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.conv_offset_mask = nn.Conv2d(in_channels, 3 * self.TAPS, 3, stride, padding=1)
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)
        nn.init.zeros_(self.conv_offset_mask.weight)
        assert self.conv_offset_mask.bias is not None
        nn.init.zeros_(self.conv_offset_mask.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, C', ceil(H / stride), ceil(W / stride)]. x: [B, C, H, W]."""
        offset, mask = self.conv_offset_mask(x).split([2 * self.TAPS, self.TAPS], dim=1)
        # deform_conv2d takes one dtype, and supports half precision on some devices only
        with torch.autocast(x.device.type, enabled=False):
            out = deform_conv2d(
                x.float(),
                offset.float(),
                self.weight.float(),
                self.bias.float(),
                self.stride,
                padding=1,
                mask=mask.float().sigmoid(),
            )
        return out.to(offset.dtype)


class ResNet(Backbone):
    """Four stages of residual blocks; C3, C4 and C5 are the outputs of stages 2 to 4."""

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        depths: tuple[int, int, int, int],
        width: int = 64,
        deformable_interval: int = 0,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layers = nn.ModuleList()
        channels = width
        for stage, depth in enumerate(depths):
            planes = width * 2**stage
            self.layers.append(_stage(block, channels, planes, depth, stride=1 if stage == 0 else 2))
            channels = planes * block.expansion
            if stage > 0 and deformable_interval:
                _make_deformable(self.layers[-1], deformable_interval)
        self.channels = (channels // 4, channels // 2, channels)
        _initialise(self)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `Backbone.forward`."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        c2 = self.layers[0](x)
        c3 = self.layers[1](c2)
        c4 = self.layers[2](c3)
        c5 = self.layers[3](c4)
        return c3, c4, c5


def _stage(
    block: type[BasicBlock] | type[Bottleneck], in_channels: int, planes: int, depth: int, stride: int
) -> nn.Sequential:
    out_channels = planes * block.expansion
    downsample = None
    if stride != 1 or in_channels != out_channels:
        downsample = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
        )
    first = block(in_channels, planes, stride, downsample)
    return nn.Sequential(first, *(block(out_channels, planes) for _ in range(depth - 1)))


def _make_deformable(stage: nn.Module, interval: int) -> None:
    assert isinstance(stage, nn.Sequential)
    for block in stage[::interval]:
        plain = block.conv2
        assert isinstance(plain, nn.Conv2d)
        block.conv2 = DeformableConv2d(plain.in_channels, plain.out_channels, plain.stride[0])


def _initialise(network: nn.Module) -> None:
    """Apply He initialisation; the last norm of a block starts at 0, so that the block starts as identity."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.bias is None:
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, Bottleneck):
            nn.init.zeros_(module.bn3.weight)
        elif isinstance(module, BasicBlock):
            nn.init.zeros_(module.bn2.weight)


def _build(
    block: type[BasicBlock] | type[Bottleneck], depths: tuple[int, int, int, int], config: BackboneConfig
) -> ResNet:
    return ResNet(block, depths, config.width, config.deformable_interval)


build_resnet18 = partial(_build, BasicBlock, (2, 2, 2, 2))
build_resnet50 = partial(_build, Bottleneck, (3, 4, 6, 3))
build_resnet101 = partial(_build, Bottleneck, (3, 4, 23, 3))
