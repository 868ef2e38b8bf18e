"""Building blocks that necks, protonets and heads share."""

from __future__ import annotations

import math

from torch import nn


def conv(
    in_channels: int, out_channels: int, kernel: int, stride: int = 1, batch_norm: bool = False
) -> nn.Module:
    """Return a convolution that keeps the size (at stride 1), followed by a batch norm if asked for."""
    layer = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=not batch_norm)
    return nn.Sequential(layer, nn.BatchNorm2d(out_channels)) if batch_norm else layer


NEGATIVE_SLOPE = 0.1  # of NanoDet's activations


def leaky_conv(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    """Return a 3x3 convolution with a bias, padding 1, followed by a leaky ReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride, padding=1),
        nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True),
    )


def initialise(network: nn.Module) -> None:
    """Set Xavier uniform weights and zero biases in every convolution, as published."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def start_at_rare(layer: nn.Module, num_classes: int) -> None:
    """Initialise a convolution whose first `num_classes` outputs are logits to probabilities of 0.01.

    Weights are small and those outputs' biases low, after RetinaNet (arXiv:1708.02002, section 4.1): what is
    rare is then not unlearned in the first steps.
    """
    assert isinstance(layer, nn.Conv2d)
    assert layer.bias is not None
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.constant_(layer.bias[:num_classes], -math.log(99))
