"""Heads of the proposal networks: from the trunk's last level to a code, a coarse mask and a score a window.

Everything is a convolution without padding, so that a patch gives one window and a picture a map of them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from model.sharpmask.config import SharpMaskConfig

# what the released networks put in the place of values that are not positive, in training only
_FLOOR = 1e-6


class WindowMaps(NamedTuple):
    """One entry a window, for windows in h rows and w columns.

    codes:        [B, K, h, w] float, what a mask is made from
    score_logits: [B, h, w] float, before the sigmoid
    """

    codes: Tensor
    score_logits: Tensor


class FlooredReLU(nn.Module):
    """ReLU; in training, values that are not positive become 1e-6 rather than 0."""

    def forward(self, x: Tensor) -> Tensor:
        """x: any shape, which is kept."""
        return nn.functional.threshold(x, 0.0, _FLOOR) if self.training else torch.relu(x)


class CodeHead(nn.Module):
    """The heads A, B and C of SharpMask: low-rank masks, and a score from two linear maps."""

    def __init__(self, config: SharpMaskConfig) -> None:
        super().__init__()
        self.mask_branch = _code_branch(config)
        shared = self.mask_branch[0] if config.head == "B" and config.features else None
        self.score_branch = None if config.head == "C" else _code_branch(config, shared)
        self.mask = nn.Conv2d(config.code, config.mask_side**2, 1)
        self.score = nn.Sequential(
            nn.Dropout(0.5),
            nn.Conv2d(config.code, config.score_hidden, 1),
            FlooredReLU(),
            nn.Dropout(0.5),
            nn.Conv2d(config.score_hidden, 1, 1),
        )

    def forward(self, level: Tensor) -> WindowMaps:
        """Return a code and a score for every window; level: [B, C, h + grid - 1, w + grid - 1] float."""
        codes = self.mask_branch(level)
        of_score = codes if self.score_branch is None else self.score_branch(level)
        return WindowMaps(codes, self.score(of_score)[:, 0])


class OriginalHead(nn.Module):
    """The first paper's: two branches that share the trunk alone, the score's with a pooling of its own.

    The pooling halves a window's cells. Over a map it takes every position, and the layer behind it every
    other cell, which gives each window what it would have alone.
    """

    def __init__(self, config: SharpMaskConfig) -> None:
        super().__init__()
        channels = config.levels[-1]
        self.mask_branch = _code_branch(config)
        self.mask = nn.Conv2d(config.code, config.mask_side**2, 1)
        self.score = nn.Sequential(
            nn.MaxPool2d(2, stride=1),
            nn.Conv2d(channels, config.code, config.grid // 2, dilation=2),
            FlooredReLU(),
            nn.Dropout(0.5),
            nn.Conv2d(config.code, config.score_hidden, 1),
            FlooredReLU(),
            nn.Dropout(0.5),
            nn.Conv2d(config.score_hidden, 1, 1),
        )

    def forward(self, level: Tensor) -> WindowMaps:
        """See `CodeHead.forward`."""
        return WindowMaps(self.mask_branch(level), self.score(level)[:, 0])


def _code_branch(config: SharpMaskConfig, shared: nn.Module | None = None) -> nn.Sequential:
    """Return the layers from the trunk to a code; `shared` is the first of another branch."""
    channels = config.levels[-1]
    if not config.features:
        return nn.Sequential(nn.Conv2d(channels, config.code, config.grid))
    first = shared or nn.Conv2d(channels, config.features, 1)
    return nn.Sequential(first, nn.ReLU(), nn.Conv2d(config.features, config.code, config.grid))


def build_head(config: SharpMaskConfig) -> CodeHead | OriginalHead:
    """Return the configuration's head with random weights, uniform in ±1/√fan-in, as released."""
    head = OriginalHead(config) if config.head == "original" else CodeHead(config)
    initialise(head)
    return head


@torch.no_grad()
def initialise(module: nn.Module) -> None:
    """Fill weights and biases of every convolution and linear map uniformly in ±1/√fan-in."""
    for part in module.modules():
        if isinstance(part, (nn.Conv2d, nn.Linear)):
            bound = part.weight[0].numel() ** -0.5
            part.weight.uniform_(-bound, bound)
            if part.bias is not None:
                part.bias.uniform_(-bound, bound)
