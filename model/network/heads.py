"""The prediction head, shared by all levels (paper, figure 4), and the mask IoU network of YOLACT++."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.network.layers import NEGATIVE_SLOPE, conv, initialise, start_at_rare


class HeadOutputs(NamedTuple):
    """Outputs of a prediction head; rows are ordered level, y, x, anchor."""

    box_deltas: Tensor  # [B, A, 4]
    class_logits: Tensor  # [B, A, C + 1], or [B, A, C] of an anchor-free head
    mask_coefficients: Tensor  # [B, A, K], of an anchor-free head [B, A, K + 6]
    box_distribution: Tensor | None = None  # [B, A, 4, bins] logits, of an anchor-free head in training


class PredictionHead(nn.Module):
    """One 3x3, then a 3x3 each to boxes, classes (background first) and mask coefficients (tanh)."""

    def __init__(
        self, channels: int, num_classes: int, num_prototypes: int, anchors: int, batch_norm: bool = False
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.num_prototypes = num_prototypes
        self.upfeature = nn.Sequential(
            conv(channels, channels, 3, batch_norm=batch_norm), nn.ReLU(inplace=True)
        )
        self.bbox_layer = nn.Conv2d(channels, anchors * 4, 3, padding=1)
        self.conf_layer = nn.Conv2d(channels, anchors * (num_classes + 1), 3, padding=1)
        self.mask_layer = nn.Conv2d(channels, anchors * num_prototypes, 3, padding=1)
        initialise(self)

    def forward(self, levels: tuple[Tensor, ...]) -> HeadOutputs:
        """Return the outputs of all levels. levels: [B, channels, h, w] each, P3 first."""
        shared = self._shared_features(levels)
        return HeadOutputs(
            _rows([self.bbox_layer(x) for x in shared], 4),
            _rows([self.conf_layer(x) for x in shared], self.num_classes + 1),
            _rows([self.mask_layer(x) for x in shared], self.num_prototypes).tanh(),
        )

    def _shared_features(self, levels: tuple[Tensor, ...]) -> list[Tensor]:
        """Return the first convolution's features, [B, channels, h, w] a level.

        In training the pixels of all levels are normalised together: statistics of single levels would differ
        from the running statistics, which mix the levels and are used at inference.
        """
        block = self.upfeature[0]
        if not (self.training and isinstance(block, nn.Sequential)):
            return [self.upfeature(level) for level in levels]
        convolution, norm = block
        maps = [convolution(level) for level in levels]
        # [B, C, h, w] a level -> [B, C, pixels of all levels, 1]
        flat = torch.cat([m.flatten(2) for m in maps], dim=2)[..., None]
        parts = F.relu(norm(flat)).squeeze(3).split([m[0, 0].numel() for m in maps], dim=2)
        return [part.reshape(m.shape) for part, m in zip(parts, maps, strict=True)]


class AnchorFreeHead(nn.Module):
    """NanoDet's head: for each level of its own a 3x3, then a 1x1 to classes and box sides.

    A side's distance is a distribution over `bins` whole numbers of strides (Li et al., arXiv:2006.04388).
    Mask coefficients come from a branch of their own: a 3x3 with batch norm to `mask_channels`, then a 1x1,
    which also gets the features of boxes and classes, where the extent of an object is known. The last six
    are terms of positions in the box, see `model.detection.masks.in_place`.
    """

    def __init__(
        self,
        channels: int,
        num_classes: int,
        num_coefficients: int,
        bins: int,
        mask_channels: int,
        levels: int,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.num_coefficients = num_coefficients
        self.bins = bins
        self.tower = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(levels))
        self.output = nn.ModuleList(nn.Conv2d(channels, num_classes + 4 * bins, 1) for _ in range(levels))
        self.mask_tower = nn.ModuleList(
            conv(channels, mask_channels, 3, batch_norm=True) for _ in range(levels)
        )
        self.mask_layer = nn.ModuleList(
            nn.Conv2d(mask_channels + channels, num_coefficients, 1) for _ in range(levels)
        )
        initialise(self)
        for layer in self.output:
            start_at_rare(layer, num_classes)

    def forward(self, levels: tuple[Tensor, ...]) -> HeadOutputs:
        """Return the outputs of all levels. levels: [B, channels, h, w] each, P3 first.

        Box deltas are the distances left, top, right and bottom of a cell's centre in strides.
        """
        towers = zip(levels, self.tower, strict=True)
        seen = [F.leaky_relu(tower(x), NEGATIVE_SLOPE) for x, tower in towers]
        outputs = [last(x) for x, last in zip(seen, self.output, strict=True)]
        masks = zip(levels, seen, self.mask_tower, self.mask_layer, strict=True)
        rows = _rows(outputs, self.num_classes + 4 * self.bins)
        coefficients = _rows(
            [last(torch.cat([F.relu(tower(x)), known], dim=1)) for x, known, tower, last in masks],
            self.num_coefficients,
        )
        logits, sides = rows.split([self.num_classes, 4 * self.bins], dim=2)
        # [B, A, 4·bins] -> [B, A, 4, bins]
        distribution = sides.reshape(sides.shape[0], -1, 4, self.bins)
        bins = torch.arange(self.bins, dtype=distribution.dtype, device=distribution.device)
        distances = (distribution.softmax(-1) * bins).sum(-1)
        return HeadOutputs(
            distances, logits, coefficients.tanh(), distribution.float() if self.training else None
        )


def _rows(maps: list[Tensor], width: int) -> Tensor:
    # [B, a·width, h, w] -> [B, h, w, a·width] -> [B, h·w·a, width], then all levels one after another
    return torch.cat([m.permute(0, 2, 3, 1).reshape(m.shape[0], -1, width) for m in maps], dim=1)


class MaskIoUNet(nn.Module):
    """Predicts the IoU of a mask with the ground truth for each class (YOLACT++, section 6.2)."""

    CHANNELS = (8, 16, 32, 64, 128)

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        previous = 1
        for width in self.CHANNELS:
            layers += [nn.Conv2d(previous, width, 3, stride=2), nn.ReLU(inplace=True)]
            previous = width
        layers += [nn.Conv2d(previous, num_classes, 1), nn.ReLU(inplace=True)]
        self.maskiou_net = nn.Sequential(*layers)
        initialise(self)

    def forward(self, masks: Tensor) -> Tensor:
        """Return predicted IoUs, [N, C] float, not negative. masks: [N, Hp, Wp] float, cropped, in 0..1."""
        scores: Tensor = self.maskiou_net(masks[:, None])  # [N, C, h, w]
        return F.adaptive_max_pool2d(scores, 1).flatten(1)
