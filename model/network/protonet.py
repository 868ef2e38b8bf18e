"""Prototype masks for the whole image (paper, section 3.1 and figure 3)."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.network.layers import conv, initialise
from model.network.pan import upsample

_COORDINATE_UNIT = 52  # prototype pixels: half of the longer side of the default network's prototypes


class ProtoNet(nn.Sequential):
    """3x3 convolutions, x2 bilinear upsampling, one more 3x3, and a 1x1 to K prototypes; ReLU after each.

    The prototypes are not negative and have no upper bound.
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
        """Return prototypes [B, K, 2h, 2w]. p3: [B, C, h, w]."""
        return super().__call__(p3)


class FineProtoNet(nn.Module):
    """Prototypes from P3 and the backbone's features at stride 4, in which edges are sharper.

    3x3 convolutions on P3 and x2 bilinear upsampling, to which a 1x1 of the fine features and one of each
    pixel's place are added; then `fine_layers` 3x3 convolutions and a 1x1 to K prototypes. Batch norm and
    ReLU follow each 3x3, ReLU the last layer. Places are relative to the centre, as in CoordConv
    (arXiv:1807.03247): without them prototypes could tell neighbours apart by appearance only.
    """

    def __init__(
        self,
        in_channels: int,
        fine_channels: int,
        channels: tuple[int, ...],
        out_channels: int,
        fine_layers: int,
        num_prototypes: int,
    ) -> None:
        super().__init__()
        widths = (in_channels, *channels, out_channels)
        self.coarse = nn.ModuleList(
            conv(before, after, 3, batch_norm=True) for before, after in pairwise(widths)
        )
        self.lateral = nn.Conv2d(fine_channels, out_channels, 1)
        self.place = nn.Conv2d(2, out_channels, 1, bias=False)
        self.fine = nn.ModuleList(
            conv(out_channels, out_channels, 3, batch_norm=True) for _ in range(fine_layers)
        )
        self.last = nn.Conv2d(out_channels, num_prototypes, 1)
        initialise(self)

    def forward(self, p3: Tensor, c2: Tensor) -> Tensor:
        """Return prototypes [B, K, 2h, 2w], not negative. p3: [B, C, h, w]; c2: [B, C', 2h, 2w]."""
        return self.refined(self.coarse_features(p3), c2)

    def coarse_features(self, p3: Tensor) -> Tensor:
        """Return the features that `refined` starts from, [B, C'', h, w], not negative."""
        x = p3
        for layer in self.coarse:
            x = F.relu(layer(x))
        return x

    def refined(self, coarse: Tensor, c2: Tensor) -> Tensor:
        """Return the prototypes, [B, K, 2h, 2w]. coarse: as `coarse_features` returns it."""
        x = upsample(coarse) + self.lateral(c2)
        x = x + self.place(_coordinates(x))
        for layer in self.fine:
            x = F.relu(layer(x))
        return F.relu(self.last(x))


def _coordinates(x: Tensor) -> Tensor:
    """Return each pixel's column and row from the centre, [B, 2, h, w], in units of `_COORDINATE_UNIT`."""
    # counted by a running sum: the sides are not known while a network is exported; and for each image of the
    # batch, since OpenVINO fails where a convolution of one image is added to that of several
    ones = torch.ones_like(x[:, :1], dtype=torch.float32)
    places = torch.cat([ones.cumsum(3), ones.cumsum(2)], dim=1)
    return ((places - places.mean(dim=(2, 3), keepdim=True)) / _COORDINATE_UNIT).to(x.dtype)
