"""From a batch of images to the loss, as one module."""

from __future__ import annotations

import math
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from model.preprocessing import normalise
from model.training.loss import LossTerms, YolactLoss
from model.training.targets import Targets
from model.yolact import Yolact

# the last level of a smaller input has one pixel, on which PyTorch's bf16 weight gradients of a strided
# convolution are not initialised on a CPU
_SMALLEST_BF16_ON_CPU = 65


class TrainStep(nn.Module):
    """Forward pass and loss in one module, so that gradients of all parts are averaged between devices."""

    def __init__(self, network: Yolact, precision: str) -> None:
        super().__init__()
        self.network = network
        self.loss = YolactLoss(network.config)
        self.precision = precision

    def forward(self, images: Tensor, targets: list[Targets], seed: int) -> LossTerms:
        """images: [B, 3, S, S] uint8 RGB. The network runs in `precision`, the loss in float32.

        Outputs that are not finite make no finite loss.
        """
        prepared = normalise(images, self.network.config).contiguous(memory_format=torch.channels_last)
        half = self.precision == "bf16" and (images.is_cuda or images.shape[-1] >= _SMALLEST_BF16_ON_CPU)
        with torch.autocast(images.device.type, torch.bfloat16) if half else nullcontext():
            raw = self.network(prepared)
        checksum = torch.stack([output.sum() for output in raw if output is not None]).sum()
        if not bool(checksum.isfinite()):
            # the loss must not see them: binary cross entropy fails on NaN, on a GPU beyond recovery
            return LossTerms(*(checksum * math.nan).expand(len(LossTerms._fields)))
        return self.loss(raw, self.network, targets, torch.Generator().manual_seed(seed))
