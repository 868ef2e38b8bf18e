"""Forward pass and loss of a batch, as one module."""

from __future__ import annotations

import math
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from model.detection.raw_outputs import RawOutputs
from model.network.yolact import Yolact
from model.preprocessing import normalise
from model.training.anchor_free_loss import AnchorFreeLoss
from model.training.data.loader import Batch
from model.training.data.targets import Targets
from model.training.distributed import world_size
from model.training.loss import LossTerms, YolactLoss
from model.training.norms import NormStatistics
from model.training.recipe import Recipe

# the last level of a smaller input has one pixel, on which PyTorch's bf16 weight gradients of a strided
# convolution are not initialised on a CPU
_SMALLEST_BF16_ON_CPU = 65


class TrainStep(nn.Module):
    """Forward pass and loss in one module, so that gradients of all parts are averaged between devices.

    `teacher` is used by the loss of an anchor-free network only. It is not a submodule.
    """

    def __init__(self, network: Yolact, precision: str, teacher: Yolact | None = None) -> None:
        super().__init__()
        self.network = network
        self.loss: AnchorFreeLoss | YolactLoss
        self.loss = YolactLoss(network.config) if network.config.anchors else AnchorFreeLoss(network.config)
        self.precision = precision
        # in a tuple, where PyTorch looks for no module: it is neither saved nor trained
        self._teacher = (teacher,)

    def forward(self, images: Tensor, targets: list[Targets], seed: int) -> LossTerms:
        """Return the loss of images [B, 3, S, S] uint8 RGB; not finite if the outputs are not.

        The network runs in `precision`, the loss in float32.
        """
        prepared = normalise(images, self.network.config).contiguous(memory_format=torch.channels_last)
        half = self.precision == "bf16" and (images.is_cuda or images.shape[-1] >= _SMALLEST_BF16_ON_CPU)
        with torch.autocast(images.device.type, torch.bfloat16) if half else nullcontext():
            raw, taught = self._outputs(prepared)
        checksum = torch.stack([output.sum() for output in raw if output is not None]).sum()
        if not bool(checksum.isfinite()):
            # the loss must not get them: binary cross entropy fails on NaN, on a GPU beyond recovery
            return LossTerms(*(checksum * math.nan).expand(len(LossTerms._fields)))
        generator = torch.Generator().manual_seed(seed)
        if isinstance(self.loss, AnchorFreeLoss):
            return self.loss(raw, self.network, targets, generator, taught)
        return self.loss(raw, self.network, targets, generator)

    def _outputs(self, prepared: Tensor) -> tuple[RawOutputs, RawOutputs | None]:
        """Return the outputs of the network and of the teacher, if any; a common backbone runs once."""
        (teacher,) = self._teacher
        if teacher is None:
            return self.network(prepared), None
        if not self._one_backbone:
            with torch.no_grad():
                taught = teacher(prepared, with_masks=False)
            return self.network(prepared), taught
        with torch.no_grad():
            features = self.network.backbone(prepared)
            taught = teacher.interpret(features, with_masks=False)
        return self.network.interpret(features), taught

    @property
    def _one_backbone(self) -> bool:
        """True if the backbone is frozen and equal to the teacher's."""
        (teacher,) = self._teacher
        assert teacher is not None
        mine, other = self.network.backbone.state_dict(), teacher.backbone.state_dict()
        return not any(p.requires_grad for p in self.network.backbone.parameters()) and all(
            torch.equal(mine[name], other[name]) for name in mine
        )


def wrapped(step: TrainStep, recipe: Recipe) -> nn.Module:
    """Wrap the step so that gradients are averaged between processes."""
    if world_size() == 1:
        return step
    # the mask IoU network is not used in a batch without large masks, nor are frozen parts in their stage
    some_rest = step.network.config.mask_iou or any(stage.freeze != "none" for stage in recipe.stages)
    return DistributedDataParallel(step, find_unused_parameters=some_rest)


def resting(teacher: Yolact | None, device: torch.device) -> Yolact | None:
    """Return the frozen teacher on the device, in training mode, in which it returns distributions."""
    if teacher is None:
        return None
    ready: Yolact = teacher.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return ready.requires_grad_(False).train()


def can_learn(step: TrainStep, batch: Batch, seed: int, statistics: NormStatistics) -> bool:
    """Return True if loss and gradient of a batch, on the network's device, are finite.

    Changes no weight, gradient or running statistic, and does not communicate with other processes; but the
    network keeps the batch's input size.
    """
    step.network.set_image_size(batch.images.shape[-1])
    statistics.keep()
    try:
        return _has_finite_gradient(step(batch.images, batch.targets, seed).total, step)
    finally:
        statistics.put_back()


def _has_finite_gradient(total: Tensor, network: nn.Module) -> bool:
    if not bool(total.isfinite()):
        return False
    parameters = [p for p in network.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(total, parameters, allow_unused=True)
    return bool(nn.utils.get_total_norm([g for g in gradients if g is not None]).isfinite())
