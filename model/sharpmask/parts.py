"""A proposal network in parts, each with tensors in and out: what engines run."""

from __future__ import annotations

from torch import Tensor, nn

from model.sharpmask.network import DenseOutputs, SharpMask


class DensePass(nn.Module):
    """Scores, codes and skips of every window of a picture. See `SharpMask.forward`."""

    def __init__(self, network: SharpMask) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> DenseOutputs:
        """images: [1, 3, H, W] float, normalised and framed; H and W of any size above the window's."""
        outputs: DenseOutputs = self.network(images)
        return outputs


class CoarseMasks(nn.Module):
    """Coarse masks of windows. See `SharpMask.coarse`."""

    def __init__(self, network: SharpMask) -> None:
        super().__init__()
        self.network = network

    def forward(self, codes: Tensor) -> Tensor:
        """Return mask logits [N, mask_side, mask_side] of codes [N, K]."""
        return self.network.coarse(codes)


class RefinedMasks(nn.Module):
    """Refined masks of windows, of a network that refines. See `Refinement.forward`."""

    def __init__(self, network: SharpMask) -> None:
        super().__init__()
        assert network.refinement is not None
        self.refinement = network.refinement

    def forward(self, codes: Tensor, *skips: Tensor) -> Tensor:
        """Return mask logits [N, window, window]; codes: [N, K], skips: [N, C_i, side_i, side_i]."""
        logits: Tensor = self.refinement(codes, skips)
        return logits


def skip_shapes(network: SharpMask) -> list[tuple[int, int]]:
    """Return channels and side in cells of a window's part of each skip, coarsest level first."""
    config = network.config
    return [(config.refine_width >> (n + 1), config.grid << n) for n in range(config.pools)]
