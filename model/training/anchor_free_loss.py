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
from torchvision.ops import generalized_box_iou_loss, roi_align

from model.config import LossConfig, YolactConfig
from model.detection.boxes import areas, decode_distances, encode_distances, paired_iou
from model.detection.decoding import Decoder
from model.detection.masks import in_place
from model.detection.raw_outputs import RawOutputs
from model.host.masks import CROP_PADDING
from model.training.data.targets import Targets
from model.training.loss import LossTerms, drawn, positives_with_mask, semantic_loss
from model.training.matching import Matches, assign

DISTRIBUTION_WEIGHT = 0.25  # as published
DICE_WEIGHT = 1.0
TEACHER_SHARE = 0.25
"""Share by which a labelled class's target is drawn to the teacher's score, 0..1."""
TEACHER_BOX_WEIGHT = 0.25
LEAST_TEACHER_SCORE = 0.05
"""Cells in which the teacher sees less have no box to learn."""
SMALL_GRID, LARGE_GRID = 28, 72
"""Samples a side that a mask is learned from; a box is small below `SMALL_GRID`² pixels of prototypes."""
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
        """Return the weighted terms; `mask_iou` is 0, since the network has no such branch.

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
                prototypes, coefficients = in_place(
                    raw.prototypes[image][None],
                    raw.mask_coefficients[image, chosen][None],
                    boxes[image, chosen].detach()[None],
                )
                mask = mask + _mask_loss(prototypes[0], coefficients[0], matches.objects[chosen], t)
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
    iou = paired_iou(boxes[where].detach(), truth)
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


def _with_masks(
    boxes: Tensor,
    matches: Matches,
    targets: Targets,
    config: LossConfig,
    generator: torch.Generator | None,
) -> Tensor:
    """[n]: the positive cells that learn a mask, `max_masks_per_image` at most."""
    chosen = positives_with_mask(matches, targets)
    if len(chosen):
        chosen = chosen[paired_iou(boxes[chosen], targets.boxes[matches.objects[chosen]]) > LEAST_MASK_IOU]
    return drawn(chosen, config.max_masks_per_image, generator)


def _mask_loss(prototypes: Tensor, coefficients: Tensor, objects: Tensor, targets: Targets) -> Tensor:
    """Cross entropy and dice inside each object's padded box, summed over objects, the mean of their cells.

    prototypes: [Hp, Wp, K]; coefficients: [n, K]; objects: [n]

    Small objects are learned on a grid that is finer than the prototypes, for inference enlarges them too.
    """
    height, width, _ = prototypes.shape
    regions = targets.boxes * targets.boxes.new_tensor([width, height, width, height])
    regions = regions + regions.new_tensor([-1.0, -1.0, 1.0, 1.0]) * CROP_PADDING
    large = areas(regions)[objects] > SMALL_GRID**2
    total = prototypes.sum() * 0
    for part, grid in ((~large, SMALL_GRID), (large, LARGE_GRID)):
        if bool(part.any()):
            total = total + _grid_loss(prototypes, coefficients[part], objects[part], targets, regions, grid)
    return total


def _grid_loss(
    prototypes: Tensor, coefficients: Tensor, objects: Tensor, targets: Targets, regions: Tensor, grid: int
) -> Tensor:
    """`_mask_loss` on grid x grid samples of each object's region [N, 4], in pixels of prototypes."""
    used, index = objects.unique(return_inverse=True)
    samples = _samples(prototypes, regions[used], grid)  # [N, g, g, K]
    scale = targets.masks.shape[-1] / prototypes.shape[1]
    truth = _mask_samples(targets.masks[used], regions[used] * scale, grid)[index]  # [n, g·g]
    cells = torch.bincount(index, minlength=len(used))
    slot = _rank_within(index, cells)
    table = coefficients.new_zeros(len(used), int(cells.max()), coefficients.shape[1])
    table = table.index_put((index, slot), coefficients)  # [N, most cells, K]
    logits = (table @ samples.flatten(1, 2).transpose(1, 2))[index, slot]  # [n, g·g]
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean(dim=1)
    probabilities = logits.sigmoid()
    shared = (probabilities * truth).sum(dim=1)
    dice = 1 - (2 * shared + 1) / (probabilities.square().sum(dim=1) + truth.square().sum(dim=1) + 1)
    each = entropy + DICE_WEIGHT * dice
    return (each / cells[index]).sum()


def _rank_within(groups: Tensor, counts: Tensor) -> Tensor:
    """[n]: which one of its group each element is, from 0. groups: [n]; counts: of each group."""
    order = groups.argsort(stable=True)
    rank = torch.empty_like(groups)
    first = counts.cumsum(0) - counts
    rank[order] = torch.arange(len(groups), device=groups.device) - first[groups[order]]
    return rank


def _samples(maps: Tensor, regions: Tensor, grid: int) -> Tensor:
    """maps: [h, w, K]; regions: [N, 4] in its pixels. Returns [N, g, g, K] bilinear samples.

    By products with interpolation matrices, whose gradient costs a fraction of that of scattered samples.
    """
    height, width, channels = maps.shape
    rows = _interpolation(regions[:, 1], regions[:, 3], grid, height)
    columns = _interpolation(regions[:, 0], regions[:, 2], grid, width)
    # [N·g, h] x [h, w·K] -> [N, g, w, K]
    lines = (rows.flatten(0, 1) @ maps.flatten(1)).view(len(regions), grid, width, channels)
    return columns[:, None] @ lines  # [N, 1, g, w] x [N, g, w, K]


def _mask_samples(masks: Tensor, regions: Tensor, grid: int) -> Tensor:
    """[N, S, S] of any dtype, each in its own region [N, 4] in pixels -> [N, g·g] float in 0..1."""
    rows = torch.arange(len(masks), device=regions.device, dtype=regions.dtype)
    numbered = torch.cat([rows[:, None], regions], dim=1)  # [N, 5]
    samples: Tensor = roi_align(masks[:, None].float(), numbered, grid, sampling_ratio=1, aligned=True)
    return samples.flatten(1)


def _interpolation(low: Tensor, high: Tensor, count: int, side: int) -> Tensor:
    """[N] and [N], in pixels -> [N, count, side]: what each pixel weighs in each of so many even samples."""
    share = (torch.arange(count, device=low.device) + 0.5) / count
    places = (low[:, None] + (high - low)[:, None] * share - 0.5).clamp(0, side - 1)
    pixels = torch.arange(side, device=low.device)
    return (1 - (places[..., None] - pixels).abs()).clamp(min=0)
