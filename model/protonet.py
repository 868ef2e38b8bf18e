"""Prototype masks for the whole image, from P3 (paper, section 3.1 and figure 3)."""

from __future__ import annotations

from torch import Tensor, nn

from model.layers import conv, initialise


class ProtoNet(nn.Sequential):
    """3x3 convolutions, x2 bilinear upsampling, one more 3x3, and a 1x1 to K prototypes; ReLU after each.

    The prototypes are not negative and have no upper bound. [B, C, h, w] in, [B, K, 2h, 2w] out.
    """

    def __init__(
        self,
        in_channels: int,
        channels: tuple[int, ...],
        out_channels: int,
        num_prototypes: int,
        batch_norm: bool = False,
    ) -> None:
        layers: list[nn.Module] = []
        previous = in_channels
        for width in channels:
            layers += [conv(previous, width, 3, batch_norm=batch_norm), nn.ReLU(inplace=True)]
            previous = width
        # the ReLU after the upsampling changes nothing; it keeps the published layers' numbers
        layers += [nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False), nn.ReLU(inplace=True)]
        layers += [conv(previous, out_channels, 3, batch_norm=batch_norm), nn.ReLU(inplace=True)]
        layers += [conv(out_channels, num_prototypes, 1), nn.ReLU(inplace=True)]
        super().__init__(*layers)
        initialise(self)

    def __call__(self, p3: Tensor) -> Tensor:
        """p3: [B, C, h, w]. Returns [B, K, 2h, 2w]."""
        return super().__call__(p3)
