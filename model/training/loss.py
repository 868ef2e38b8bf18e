"""The training loss: class, box, mask, semantic and, for YOLACT++, mask IoU (paper, sections 3 and 4).

With the published `LossConfig` and fully labelled images this is exactly the released models' loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import generalized_box_iou_loss

from model.config import LossConfig, YolactConfig
from model.detection.boxes import decode, encode
from model.detection.decoding import Decoder
from model.detection.masks import assemble, crop
from model.network.heads import MaskIoUNet
from model.network.yolact import RawOutputs
from model.training.data.targets import Targets
from model.training.matching import Matches, match


class LossTerms(NamedTuple):
    """The weighted terms, scalar float32 tensors; `total` is what is minimised."""

    box: Tensor
    cls: Tensor
    mask: Tensor
    semantic: Tensor
    mask_iou: Tensor

    @property
    def total(self) -> Tensor:
        """The sum of all terms."""
        return self.box + self.cls + self.mask + self.semantic + self.mask_iou


class YolactLoss:
    """Called with the outputs of a batch in training mode, the network, and one `Targets` an image."""

    def __init__(self, config: YolactConfig) -> None:
        self.config = config.loss

    def __call__(
        self,
        raw: RawOutputs,
        network: Decoder,
        targets: Sequence[Targets],
        generator: torch.Generator | None = None,
    ) -> LossTerms:
        """Return the loss terms of a batch.

        `generator` (CPU) draws the masks to learn from where an image has too many positives.

        Raises ValueError when the outputs lack prototypes or semantic logits.
        """
        if raw.prototypes is None or raw.semantic_logits is None:
            raise ValueError("the loss needs outputs with masks, of a network in training mode")
        config, anchors = self.config, network.anchors
        matches = [match(t, anchors, config) for t in targets]
        positives = sum(m.positive.sum() for m in matches)
        divisor = torch.as_tensor(positives, dtype=torch.float32).clamp(min=1)
        sums = torch.zeros(5, device=raw.box_deltas.device)
        for image, (m, t) in enumerate(zip(matches, targets, strict=True)):
            masks, mask_iou = _mask_losses(
                raw.prototypes[image],
                raw.mask_coefficients[image],
                m,
                t,
                network.mask_iou_net,
                config,
                generator,
            )
            terms = (
                _box_loss(raw.box_deltas[image], anchors, m, t, config),
                _class_loss(raw.class_logits[image], m, t, config),
                masks,
                semantic_loss(raw.semantic_logits[image], t) * divisor / len(targets),
                mask_iou,
            )
            sums = sums + torch.stack(terms)
        weights = sums.new_tensor(
            [
                config.box_weight,
                config.class_weight,
                config.mask_weight,
                config.semantic_weight,
                config.mask_iou_weight,
            ]
        )
        return LossTerms(*(sums * weights / divisor))


def _box_loss(
    deltas: Tensor, anchors: Tensor, matches: Matches, targets: Targets, config: LossConfig
) -> Tensor:
    """Return the box loss, summed over positives. deltas: [A, 4]."""
    where = matches.positive.nonzero().squeeze(1)
    goal = targets.boxes[matches.objects[where]]
    if config.box_loss == "giou":
        return generalized_box_iou_loss(decode(deltas[where], anchors[where]), goal, reduction="sum")
    return F.smooth_l1_loss(deltas[where], encode(goal, anchors[where]), reduction="sum")


def _class_loss(logits: Tensor, matches: Matches, targets: Targets, config: LossConfig) -> Tensor:
    """Return the cross entropy, summed over positives and the hardest negatives. logits: [A, C + 1].

    The target of a negative is that no labelled class is present: the probabilities of the background and of
    the classes that were not labelled in this image are added.
    """
    log_probabilities = logits.log_softmax(-1)
    nothing = _nothing_labelled(log_probabilities, targets.labelled)  # [A]
    positive = matches.positive
    labels = targets.classes[matches.objects.clamp(min=0)] if len(targets) else matches.objects.clamp(min=0)
    of_class = log_probabilities.gather(1, labels[:, None] + 1).squeeze(1)
    hardness = (-nothing.detach()).masked_fill(~matches.negative, -1)
    wanted = torch.clamp(positive.sum() * config.negatives_per_positive, min=config.min_negatives)
    rank = hardness.argsort(descending=True).argsort()
    mined = matches.negative & (rank < wanted)
    return -(of_class * positive).sum() - (nothing * mined).sum()


def _nothing_labelled(log_probabilities: Tensor, labelled: Tensor | None) -> Tensor:
    """Return the log probability that no labelled class is present: [A, C + 1] to [A].

    `labelled` should be on the host, so that the device is not waited for.
    """
    if labelled is None or bool(labelled.all()):
        return log_probabilities[:, 0]
    known = torch.cat([labelled.new_zeros(1), labelled])
    unlabelled = (~known).nonzero().squeeze(1).to(log_probabilities.device, non_blocking=True)
    return log_probabilities.index_select(1, unlabelled).logsumexp(-1)


def _mask_losses(
    prototypes: Tensor,
    coefficients: Tensor,
    matches: Matches,
    targets: Targets,
    mask_iou_net: MaskIoUNet | None,
    config: LossConfig,
    generator: torch.Generator | None,
) -> tuple[Tensor, Tensor]:
    """Return the mask loss and the mask IoU loss of one image, summed over positives.

    prototypes: [Hp, Wp, K]; coefficients: [A, K].
    """
    chosen = positives_with_mask(matches, targets)
    positives = len(chosen)
    if positives == 0:
        zero = prototypes.sum() * 0 + coefficients.sum() * 0
        return zero, zero
    chosen = drawn(chosen, config.max_masks_per_image, generator)
    objects = matches.objects[chosen]
    truth = _at_size(targets.masks, prototypes.shape[:2])[objects]
    boxes = targets.boxes[objects]
    masks = crop(assemble(prototypes[None], coefficients[chosen][None])[0], boxes)
    # a target pixel outside the crop meets a prediction of exactly 0 and costs 100, the log's clamp
    loss = F.binary_cross_entropy(masks.clamp(0, 1), truth, reduction="none").sum(dim=(1, 2))
    size = (boxes[:, 2:] - boxes[:, :2]) * boxes.new_tensor([truth.shape[2], truth.shape[1]])
    mask_loss = (loss / size.prod(dim=1)).sum() * (positives / len(chosen))
    if mask_iou_net is None:
        return mask_loss, mask_loss.new_zeros(())
    return mask_loss, _mask_iou_loss(masks, truth, targets.classes[objects], mask_iou_net, config)


def positives_with_mask(matches: Matches, targets: Targets) -> Tensor:
    """Return indices [n] of the positive anchors or cells whose object has a mask."""
    where = matches.positive
    if targets.has_mask is not None and len(targets):
        where = where & targets.has_mask[matches.objects.clamp(min=0)]
    return where.nonzero().squeeze(1)


def drawn(values: Tensor, most: int, generator: torch.Generator | None) -> Tensor:
    """Return `most` elements of values [n], drawn by the generator (CPU); all of them where n is smaller."""
    if len(values) <= most:
        return values
    order = torch.randperm(len(values), generator=generator)[:most]
    return values[order.to(values.device)]


def _mask_iou_loss(
    masks: Tensor, truth: Tensor, classes: Tensor, mask_iou_net: MaskIoUNet, config: LossConfig
) -> Tensor:
    """Return the summed smooth L1 loss of predicted and true IoU. masks, truth: [n, Hp, Wp]; classes: [n]."""
    large = truth.sum(dim=(1, 2)) > config.min_mask_iou_area
    masks, truth, classes = masks[large], truth[large], classes[large]
    if len(classes) == 0:
        return masks.sum() * 0
    hard = (masks.detach() > 0.5).float()
    shared = (hard * truth).sum(dim=(1, 2))
    union = hard.sum(dim=(1, 2)) + truth.sum(dim=(1, 2)) - shared
    predicted = mask_iou_net(masks).gather(1, classes[:, None]).squeeze(1)
    return F.smooth_l1_loss(predicted, shared / union, reduction="sum")


def semantic_loss(logits: Tensor, targets: Targets) -> Tensor:
    """Return the binary cross entropy of one image's semantic branch per cell. logits: [C, h, w].

    Ignored are classes that were not labelled, classes of objects without a mask and, where the labels are
    not exhaustive, everything outside the boxes of the labelled objects.
    """
    height, width = logits.shape[-2:]
    single = ~targets.crowd
    masks = _at_size(targets.masks[single], (height, width))
    goal = torch.zeros_like(logits).index_add(0, targets.classes[single], masks).clamp(max=1)
    loss = F.binary_cross_entropy_with_logits(logits, goal, reduction="none")
    if targets.labelled is not None:
        loss = loss * targets.labelled.to(loss.device, non_blocking=True)[:, None, None]
    if targets.has_mask is not None:
        unknown = torch.zeros(len(logits), dtype=torch.bool, device=logits.device)
        unknown[targets.classes[single & ~targets.has_mask]] = True
        loss = loss * ~unknown[:, None, None]
    if not targets.exhaustive:
        full = torch.ones(len(masks), height, width, device=logits.device)
        loss = loss * crop(full, targets.boxes[single]).amax(dim=0) if len(masks) else loss * 0
    return loss.sum() / (height * width)


def _at_size(masks: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """Resize masks [N, S, S] of any dtype to [N, h, w] float, 0 or 1 (bilinear, > 0.5)."""
    if len(masks) == 0:
        return masks.new_zeros((0, *size), dtype=torch.float32)
    resized = F.interpolate(masks[:, None].float(), size=tuple(size), mode="bilinear", align_corners=False)
    return (resized[:, 0] > 0.5).float()
