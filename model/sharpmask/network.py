"""DeepMask and SharpMask as one module: trunk, head and, for SharpMask, refinement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from model.errors import ConfigError
from model.sharpmask.config import SharpMaskConfig
from model.sharpmask.heads import build_head
from model.sharpmask.refinement import Refinement
from model.sharpmask.trunks import build_trunk


@dataclass(frozen=True, eq=False)
class PatchOutputs:
    """Outputs for patches, one window each.

    score_logits:   [B] float, objectness before the sigmoid
    mask_logits:    [B, mask_side, mask_side] float, the coarse mask before the sigmoid
    refined_logits: [B, window, window] float, or None for DeepMask
    """

    score_logits: Tensor
    mask_logits: Tensor
    refined_logits: Tensor | None


class DenseOutputs(NamedTuple):
    """Outputs for every window of a picture, in h rows and w columns.

    score_logits: [B, h, w] float; codes: [B, K, h, w] float; skips: see `Refinement.skips`, () for DeepMask
    """

    score_logits: Tensor
    codes: Tensor
    skips: tuple[Tensor, ...]


class SharpMask(nn.Module):
    """A proposal network: for each window of `config.window` pixels a mask and an objectness score."""

    def __init__(self, config: SharpMaskConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = build_trunk(config)
        self.head = build_head(config)
        self.refinement = Refinement(config) if config.refines else None

    def forward(self, images: Tensor) -> DenseOutputs:
        """Return scores, codes and skips for every window of whole pictures.

        images: [B, 3, H, W] float, normalised RGB, with half a window of grey on each side. Window (r, c) has
        its corner at row stride x r and column stride x c of them.
        """
        levels = self.trunk(images)
        codes, scores = self.head(levels[-1])
        return DenseOutputs(scores, codes, self.refinement.skips(levels) if self.refinement else ())

    def patch(self, images: Tensor) -> PatchOutputs:
        """Return score and masks of the window in the middle of each patch.

        images: [B, 3, P, P] float, normalised RGB, with P = `config.patch`, or `config.window` for a patch
        without a rim. Raises ConfigError on other sides.
        """
        levels = self.patch_levels(images)
        codes, scores = self.head(levels[-1])
        vectors = codes[:, :, 0, 0]
        refined = None
        if self.refinement is not None:
            refined = self.refinement(vectors, self.refinement.skips(levels))
        return PatchOutputs(scores[:, 0, 0], self.coarse(vectors), refined)

    def patch_levels(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the trunk's levels of patches without their rim, finest first. See `patch`."""
        config = self.config
        sides = set(images.shape[-2:])
        if not sides <= {config.patch, config.window} or len(sides) != 1:
            raise ConfigError(
                f"patches of {config.name} have sides of {config.patch} px, or of {config.window} px without "
                f"their rim; got {images.shape[-1]} x {images.shape[-2]}"
            )
        rim = (images.shape[-1] - config.window) // 2
        levels = self.trunk(images)
        return tuple(_without_rim(level, rim >> (n + 1)) for n, level in enumerate(levels))

    def coarse(self, codes: Tensor) -> Tensor:
        """Return coarse mask logits [N, mask_side, mask_side] of codes [N, K]."""
        side = self.config.mask_side
        return self.head.mask(codes[:, :, None, None]).view(-1, side, side)


def _without_rim(level: Tensor, rim: int) -> Tensor:
    height, width = level.shape[-2:]
    return level[..., rim : height - rim, rim : width - rim]


def build_sharpmask(config: SharpMaskConfig) -> SharpMask:
    """Return the configuration's network with random weights, in training mode."""
    with torch.no_grad():
        return SharpMask(config)
