"""The loss of an anchor-free network: generalised focal loss (arXiv:2006.04388) and a mask loss.

A teacher, a network of the same classes that is not trained, stands in for labels that are not there: its
scores are the targets of classes that nobody labelled in an image, and it holds boxes and classes to what
it knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import generalized_box_iou_loss

from model.boxes import decode_distances, encode_distances, pairwise_iou
from model.config import LossConfig, YolactConfig
from model.decoding import Decoder
from model.masks import CROP_PADDING
from model.raw_outputs import RawOutputs
from model.training.assignment import assign
from model.training.loss import LossTerms, semantic_loss
from model.training.matching import Matches
from model.training.targets import Targets

DISTRIBUTION_WEIGHT = 0.25  # as published
DICE_WEIGHT = 1.0
TEACHER_SHARE = 0.5
"""How far a labelled class's target is drawn to the teacher's score, 0..1."""
TEACHER_BOX_WEIGHT = 0.25
LEAST_TEACHER_SCORE = 0.05
"""Cells in which the teacher sees less have no box to learn."""
LEAST_MASK_IOU = 0.3
"""A cell whose box overlaps its object less than this learns no mask."""


class AnchorFreeLoss:
    """Called with the outputs of a batch in training mode, the network, and one `Targets` an image."""

    def __init__(self, config: YolactConfig) -> None:
        self.config = config.loss

    def __call__(
        self,
        raw: RawOutputs,
        network: Decoder,
        targets: Sequence[Targets],
        generator: torch.Generator | None = None,
        teacher: RawOutputs | None = None,
    ) -> LossTerms:
        """The weighted terms. `mask_iou` is 0: such a network has no such branch.

        raw:       of square pictures that are filled; with `box_distribution`
        generator: (CPU) draws the masks that take part where an image has too many positives
        teacher:   its outputs for the same pictures, in training mode

        Classes and boxes are left out where the head that gives them is frozen. Raises ValueError when the
        outputs lack prototypes or distributions.
        """
        if raw.prototypes is None or raw.box_distribution is None or raw.semantic_logits is None:
            raise ValueError("the loss needs outputs with masks, of a network in training mode")
        cells = network.anchors
        boxes = decode_distances(raw.box_deltas, cells)
        scores = raw.class_logits.detach().sigmoid()
        zero = raw.prototypes.sum() * 0 + raw.mask_coefficients.sum() * 0
        box, cls, mask, weight, masked = zero, zero, zero, zero.detach(), 0
        semantic = zero
        for image, t in enumerate(targets):
            semantic = semantic + semantic_loss(raw.semantic_logits[image], t) / len(targets)
            matches = assign(t, boxes[image].detach(), scores[image], cells, self.config.crowd_overlap)
            if raw.class_logits.requires_grad:
                terms = _detection_losses(raw, image, boxes[image], cells, matches, t, teacher, self.config)
                box, cls, weight = box + terms.box, cls + terms.cls, weight + terms.weight
            chosen = _with_masks(boxes[image].detach(), matches, t, self.config, generator)
            if len(chosen):
                mask = mask + _mask_loss(
                    raw.prototypes[image], raw.mask_coefficients[image, chosen], matches.objects[chosen], t
                )
                masked += len(matches.objects[chosen].unique())
        weight = weight.clamp(min=1)
        config = self.config
        return LossTerms(
            config.box_weight * box / weight,
            config.class_weight * cls / weight,
            config.mask_weight * mask / max(masked, 1),
            config.semantic_weight * semantic,
            zero.detach(),
        )


class _Sums(NamedTuple):
    box: Tensor
    cls: Tensor
    weight: Tensor  # what both are divided by


def _detection_losses(
    raw: RawOutputs,
    image: int,
    boxes: Tensor,
    cells: Tensor,
    matches: Matches,
    targets: Targets,
    teacher: RawOutputs | None,
    config: LossConfig,
) -> _Sums:
    """Boxes and classes of one image, summed over cells and classes; the weight is the positives' IoU."""
    assert raw.box_distribution is not None
    logits = raw.class_logits[image]
    where = matches.positive.nonzero().squeeze(1)
    objects = matches.objects[where]
    truth = targets.boxes[objects]
    iou = _paired_iou(boxes[where].detach(), truth)
    goal = torch.zeros_like(logits)
    goal[where, targets.classes[objects]] = iou
    known = _known(logits, matches, targets)
    if teacher is not None:
        taught = teacher.class_logits[image].sigmoid()
        goal = torch.where(known, torch.lerp(goal, taught, TEACHER_SHARE), taught)
        known = torch.ones_like(known)
    cls = (_quality_focal(logits, goal) * known).sum()
    box = logits.sum() * 0
    if len(where):
        giou = generalized_box_iou_loss(boxes[where], truth, reduction="none")
        distances = encode_distances(truth, cells[where])
        sides = _distribution_focal(raw.box_distribution[image, where], distances)
        box = ((giou + DISTRIBUTION_WEIGHT / config.box_weight * sides) * iou).sum()
    weight = iou.sum()
    if teacher is not None:
        assert teacher.box_distribution is not None
        seen = teacher.class_logits[image].sigmoid().amax(-1)  # [A]
        sure = (seen > LEAST_TEACHER_SCORE).nonzero().squeeze(1)
        apart = F.kl_div(
            raw.box_distribution[image, sure].log_softmax(-1),
            teacher.box_distribution[image, sure].log_softmax(-1),
            reduction="none",
            log_target=True,
        ).sum(dim=(1, 2))
        box = box + TEACHER_BOX_WEIGHT * (apart * seen[sure]).sum()
        weight = weight + seen[sure].sum() * TEACHER_SHARE
    return _Sums(box, cls, weight.detach())


def _known(logits: Tensor, matches: Matches, targets: Targets) -> Tensor:
    """[A, C] bool: where the labels say whether a class is there."""
    known = (matches.positive | matches.negative)[:, None].expand_as(logits)
    if targets.labelled is not None:
        known = known & targets.labelled.to(logits.device, non_blocking=True)
    return known


def _quality_focal(logits: Tensor, goal: Tensor) -> Tensor:
    """Element-wise; `goal` in 0..1 of the same shape."""
    return (logits.sigmoid() - goal).detach().square() * F.binary_cross_entropy_with_logits(
        logits, goal, reduction="none"
    )


def _distribution_focal(logits: Tensor, distances: Tensor) -> Tensor:
    """[n], the mean of the four sides. logits: [n, 4, bins]; distances: [n, 4] in strides."""
    bins = logits.shape[-1]
    distances = distances.clamp(0, bins - 1.01)
    low = distances.floor()
    share = distances - low
    log_probabilities = logits.log_softmax(-1)
    below = log_probabilities.gather(-1, low.long()[..., None]).squeeze(-1)
    above = log_probabilities.gather(-1, low.long()[..., None] + 1).squeeze(-1)
    return -(below * (1 - share) + above * share).mean(dim=1)


def _paired_iou(a: Tensor, b: Tensor) -> Tensor:
    """[n, 4] and [n, 4] -> [n]."""
    return pairwise_iou(a[:, None], b[:, None])[:, 0, 0]


def _with_masks(
    boxes: Tensor,
    matches: Matches,
    targets: Targets,
    config: LossConfig,
    generator: torch.Generator | None,
) -> Tensor:
    """[n]: the positive cells that learn a mask, `max_masks_per_image` at most."""
    where = matches.positive
    if targets.has_mask is not None and len(targets):
        where = where & targets.has_mask[matches.objects.clamp(min=0)]
    chosen = where.nonzero().squeeze(1)
    if len(chosen):
        chosen = chosen[_paired_iou(boxes[chosen], targets.boxes[matches.objects[chosen]]) > LEAST_MASK_IOU]
    if len(chosen) > config.max_masks_per_image:
        order = torch.randperm(len(chosen), generator=generator)[: config.max_masks_per_image]
        chosen = chosen[order.to(chosen.device)]
    return chosen


def _mask_loss(prototypes: Tensor, coefficients: Tensor, objects: Tensor, targets: Targets) -> Tensor:
    """Cross entropy and dice inside each object's padded box, summed over objects, the mean of their cells.

    prototypes: [Hp, Wp, K]; coefficients: [n, K]; objects: [n]
    """
    height, width, _ = prototypes.shape
    used, index = objects.unique(return_inverse=True)
    truth = _shares(targets.masks[used], (height, width))[index]  # [n, Hp, Wp]
    boxes = targets.boxes[objects] * prototypes.new_tensor([width, height, width, height])
    inside = _inside(boxes, height, width)
    # [n, K] x [K, Hp·Wp] -> [n, Hp, Wp]
    logits = (coefficients @ prototypes.flatten(0, 1).T).view(-1, height, width)
    area = inside.sum(dim=(1, 2)).clamp(min=1)
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    entropy = (entropy * inside).sum(dim=(1, 2)) / area
    probabilities, truth = logits.sigmoid() * inside, truth * inside
    shared = (probabilities * truth).sum(dim=(1, 2))
    dice = 1 - (2 * shared + 1) / (
        probabilities.square().sum(dim=(1, 2)) + truth.square().sum(dim=(1, 2)) + 1
    )
    each = entropy + DICE_WEIGHT * dice
    cells = torch.bincount(index, minlength=len(used))[index]
    return (each / cells).sum()


def _inside(boxes: Tensor, height: int, width: int) -> Tensor:
    """[n, height, width] float: 1 for pixels of prototypes that a padded box [n, 4] touches."""
    x = torch.arange(width, device=boxes.device) + 0.5
    y = torch.arange(height, device=boxes.device) + 0.5
    x1, y1, x2, y2 = (boxes + boxes.new_tensor([-1.0, -1.0, 1.0, 1.0]) * CROP_PADDING)[..., None].unbind(1)
    columns, rows = (x > x1) & (x < x2), (y > y1) & (y < y2)
    return (rows[:, :, None] & columns[:, None, :]).float()


def _shares(masks: Tensor, size: tuple[int, int]) -> Tensor:
    """[N, S, S] of any dtype -> [N, h, w] float: the share of each pixel that the mask covers."""
    return F.adaptive_avg_pool2d(masks[:, None].float(), size)[:, 0]
