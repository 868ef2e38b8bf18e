"""Small proposal networks for tests: the shapes of the real ones, quick to run."""

from __future__ import annotations

import torch

from model.sharpmask.config import SharpMaskConfig
from model.sharpmask.network import SharpMask, build_sharpmask

TINY = SharpMaskConfig(
    "tiny", trunk="csp", window=32, features=8, code=16, score_hidden=8, mask_side=14, refine_width=16
)


def tiny(config: SharpMaskConfig = TINY, seed: int = 0) -> SharpMask:
    """Return a network with random weights, in evaluation mode."""
    torch.manual_seed(seed)
    return build_sharpmask(config).eval()
