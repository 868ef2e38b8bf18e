"""The one small building block that FPN, protonet and head share."""

from __future__ import annotations

from torch import nn


def conv(
    in_channels: int, out_channels: int, kernel: int, stride: int = 1, batch_norm: bool = False
) -> nn.Module:
    """A convolution that keeps the size (at stride 1), followed by a batch norm if asked for."""
    layer = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=not batch_norm)
    return nn.Sequential(layer, nn.BatchNorm2d(out_channels)) if batch_norm else layer


def initialise(network: nn.Module) -> None:
    """Xavier uniform weights and zero biases for every convolution, as published for all but the backbone."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
