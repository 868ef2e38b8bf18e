"""SharpMask's refinement (arXiv:1603.08695, section 3): a mask encoding grows, level by level, into a mask.

A module of the paper convolves the concatenation of a level's features and the mask encoding. Its kernel is
split by input channels here: the part for the features (horizontal) runs once over a whole picture, and only
the part for the encoding (vertical) runs for every window.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.sharpmask.config import SharpMaskConfig
from model.sharpmask.padding import SymmetricConv2d

# channels of a horizontal branch's first convolution, at stride 4 and above, and at stride 2
_HIDDEN = 64
_HIDDEN_FINEST = 32


class Refinement(nn.Module):
    """Refines coarse codes with the trunk's levels. Level 0 is the coarsest here."""

    def __init__(self, config: SharpMaskConfig) -> None:
        super().__init__()
        self.width, self.grid = config.refine_width, config.grid
        self.seed = nn.Linear(config.code, self.width * self.grid**2)
        widths = [self.width >> n for n in range(config.pools)]
        channels = config.levels[::-1]
        hidden = [_HIDDEN] * (config.pools - 1) + [_HIDDEN_FINEST]
        self.horizontal = nn.ModuleList(
            _branch(c, h, w, w // 2) for c, h, w in zip(channels, hidden, widths, strict=True)
        )
        self.vertical = nn.ModuleList(_branch(w, w, w // 2) for w in widths)
        self.last = SymmetricConv2d(widths[-1] // 2, 1)
        self._initialise()

    @torch.no_grad()
    def _initialise(self) -> None:
        """Fill kernels by He's rule: with the released ±1/√fan-in, signals fade over so many layers."""
        for part in self.modules():
            if isinstance(part, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_uniform_(part.weight, nonlinearity="relu")
                assert part.bias is not None
                part.bias.zero_()

    def skips(self, levels: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return what each level adds to masks, coarsest level first: [B, width / 2 ** (i + 1), h_i, w_i].

        levels: the trunk's, finest first, of a patch or of a whole picture.
        """
        return tuple(branch(level) for branch, level in zip(self.horizontal, reversed(levels), strict=True))

    def forward(self, codes: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """Return refined logits [N, window, window].

        codes: [N, K] float; skips: for each level, coarsest first, the windows' own parts of `skips`,
        [N, C_i, side_i, side_i] float.
        """
        *_, logits = self.steps(codes, skips)
        return logits

    def steps(self, codes: Tensor, skips: Sequence[Tensor]) -> list[Tensor]:
        """Return the mask encodings M1, M2, … [N, C, side, side], and the logits [N, window, window] last."""
        encodings = [self.seed(codes).view(-1, self.width, self.grid, self.grid)]
        for branch, skip in zip(self.vertical, skips, strict=True):
            mixed = torch.relu(branch(encodings[-1]) + skip)
            encodings.append(F.interpolate(mixed, scale_factor=2.0, mode="nearest"))
        return [*encodings, self.last(encodings[-1])[:, 0]]


def _branch(*channels: int) -> nn.Sequential:
    """Return 3x3 convolutions through `channels`, with ReLU between them."""
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers += [SymmetricConv2d(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
