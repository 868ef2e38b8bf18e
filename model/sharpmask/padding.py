"""Symmetric padding, which repeats the edge itself: c b a | a b c."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def symmetric_pad(x: Tensor, width: int) -> Tensor:
    """Return `x` [..., H, W] with `width` mirrored pixels on each side: [..., H + 2 width, W + 2 width].

    No gradient passes through the mirrored pixels, as in the released networks. H and W are at least `width`.
    """
    if width == 1 and not x.requires_grad:
        return F.pad(x, (1, 1, 1, 1), mode="replicate")
    for dim in (-1, -2):
        size = x.shape[dim]
        before = [_line(x, dim, at).detach() for at in reversed(range(width))]
        after = [_line(x, dim, size - 1 - at).detach() for at in range(width)]
        x = torch.cat([*before, x, *after], dim)
    return x


def _line(x: Tensor, dim: int, at: int) -> Tensor:
    return x[..., at : at + 1] if dim == -1 else x[..., at : at + 1, :]


class ReflectConv2d(nn.Conv2d):
    """A 3x3 convolution whose input is padded by reflection, without the edge itself: b | a b c."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, 3, stride, padding=1, bias=bias, padding_mode="reflect")


class SymmetricConv2d(nn.Conv2d):
    """A square convolution of odd side whose input is padded symmetrically."""

    def __init__(
        self, in_channels: int, out_channels: int, side: int = 3, stride: int = 1, bias: bool = True
    ) -> None:
        super().__init__(in_channels, out_channels, side, stride, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """x: [B, C, H, W]. Returns [B, C', ceil(H / stride), ceil(W / stride)]."""
        padded = symmetric_pad(x, self.kernel_size[0] // 2)
        return F.conv2d(padded, self.weight, self.bias, self.stride)
