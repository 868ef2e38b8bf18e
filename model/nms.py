"""Non-maximum suppression: Fast NMS (paper, section 4), its class-agnostic form, exact greedy NMS, Soft-NMS.

The fast forms have a fixed shape for a given input, no loop and no host synchronisation. Each function takes

    boxes:  [B, A, 4] float, x1 y1 x2 y2
    scores: [B, C, A] float, probability of each foreground class that is looked for

and returns `Kept`, best score first, and of equal scores the class and anchor that come first. So it is for
every device, memory layout and batch: what an image gives depends on nothing but the image.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from model.boxes import pairwise_iou
from model.config import DetectionConfig

_SOFT_IOU = 0.3  # as published
_NOTHING = -1.0  # the score of a place that holds no detection; below every probability


class Kept(NamedTuple):
    """D places an image, of which the first ones hold detections; `valid` says which."""

    anchors: Tensor  # [B, D] int64, row of the raw outputs
    classes: Tensor  # [B, D] int64, background not counted
    scores: Tensor  # [B, D] float
    valid: Tensor  # [B, D] bool


def fast_nms(boxes: Tensor, scores: Tensor, config: DetectionConfig) -> Kept:
    """Fast NMS for each class: a box goes when any better one of its class overlaps it too much.

    A better one counts even when it goes itself; that is what makes one matrix operation of it. An
    anchor takes part when any of its classes passes the confidence threshold, and may yield several
    classes, for which no further threshold holds (as released).
    """
    confident = scores.amax(dim=1, keepdim=True) > config.confidence_threshold
    scores = scores.masked_fill(~confident, _NOTHING)
    top, anchors = _best(scores, config.nms_top_k)  # [B, C, k]
    kept = _suppress(rows_at(boxes, anchors), top, config.nms_iou_threshold)
    # [B, C, k] -> [B, C·k]
    best, place = _best(kept.flatten(1), config.max_detections)
    classes = place // top.shape[-1]
    return Kept(anchors.flatten(1).gather(1, place), classes, best, best > _NOTHING)


def class_agnostic_fast_nms(boxes: Tensor, scores: Tensor, config: DetectionConfig) -> Kept:
    """Fast NMS over all classes at once: each anchor stands for its best class."""
    best, classes = scores.amax(dim=1), scores.argmax(dim=1)  # [B, A]; of equal classes the first
    best = best.masked_fill(best <= config.confidence_threshold, _NOTHING)
    top, anchors = _best(best, config.nms_top_k)  # [B, k]
    kept = _suppress(rows_at(boxes, anchors), top, config.nms_iou_threshold)
    result, place = _best(kept, config.max_detections)
    anchors = anchors.gather(1, place)
    return Kept(anchors, classes.gather(1, anchors), result, result > _NOTHING)


def exact_nms(boxes: Tensor, scores: Tensor, config: DetectionConfig) -> Kept:
    """Greedy NMS for each class by torchvision; here the confidence threshold holds for each class.

    Its work depends on the data: it waits for the device and takes one image after another.
    """
    from torchvision.ops import batched_nms  # here, because loading it takes half a second

    places = config.max_detections
    empty = scores.new_full((scores.shape[0], places), _NOTHING)
    anchors = empty.new_zeros(empty.shape, dtype=torch.int64)
    classes = anchors.clone()
    for image, (image_boxes, image_scores) in enumerate(zip(boxes, scores, strict=True)):
        c, a = (image_scores > config.confidence_threshold).nonzero(as_tuple=True)
        candidates = image_scores[c, a]
        keep = batched_nms(image_boxes[a], candidates, c, config.nms_iou_threshold)
        # it sorts equal scores in one way or another, which depends on how many there are
        keep = keep.sort().values
        keep = keep[candidates[keep].argsort(descending=True, stable=True)[:places]]
        empty[image, : len(keep)] = candidates[keep]
        anchors[image, : len(keep)] = a[keep]
        classes[image, : len(keep)] = c[keep]
    return Kept(anchors, classes, empty, empty > _NOTHING)


def soft_nms(boxes: Tensor, scores: Tensor, config: DetectionConfig) -> Kept:
    """Linear Soft-NMS for each class (Bodla et al., ICCV 2017, arXiv 1704.04503).

    The best detection lowers the scores of its class that overlap it by an IoU of more than 0.3, by the share
    that is the IoU; then the best of what is left does, and so on. The confidence threshold holds for each
    class, before and after. It takes a step a detection; only on the CPU does it end when nothing is left.
    """
    candidates = scores.masked_fill(scores <= config.confidence_threshold, _NOTHING)
    left, anchors = _best(candidates, config.nms_top_k)  # [B, C, k]
    corners = rows_at(boxes, anchors)  # [B, C, k, 4]
    images, count = torch.arange(len(left), device=left.device), left.shape[-1]
    places, best = [], []
    for _ in range(min(config.max_detections, left[0].numel())):
        place = left.flatten(1).argmax(dim=1)  # [B]; of equal ones the first
        c, i = place // count, place % count
        places.append(place)
        best.append(left[images, c, i])
        if left.device.type == "cpu" and bool((best[-1] == _NOTHING).all()):
            break
        overlap = pairwise_iou(corners[images, c, i][:, None], corners[images, c]).squeeze(1)  # [B, k]
        lowered = left[images, c] * torch.where(overlap > _SOFT_IOU, 1 - overlap, 1.0)
        lowered[images, i] = _NOTHING
        left[images, c] = lowered.masked_fill(lowered <= config.confidence_threshold, _NOTHING)
    place, result = torch.stack(places, dim=1), torch.stack(best, dim=1)  # [B, D]
    return Kept(anchors.flatten(1).gather(1, place), place // count, result, result > _NOTHING)


def doubles(boxes: Tensor, kept: Kept, sure: Tensor, iou_threshold: float) -> Tensor:
    """Returns which of the sure detections lie on a better one of another class: [B, D] bool.

    boxes: [B, D, 4] x1 y1 x2 y2, of `kept`, finite
    sure:  [B, D] bool

    To the eye two classes on one object are one too many. What nobody is shown stays: it matters to
    average precision alone, where the second guess may be the right one. No host synchronisation.
    """
    overlap = pairwise_iou(boxes, boxes).triu(diagonal=1)  # column j holds the overlap with each better one
    others = kept.classes[..., :, None] != kept.classes[..., None, :]
    return ((overlap > iou_threshold) & others & sure[..., :, None]).any(dim=-2) & sure


def rows_at(values: Tensor, index: Tensor) -> Tensor:
    """values: [B, A, n]; index: [B, …]. Returns [B, …, n], the rows of each image."""
    width = values.shape[-1]
    flat = index.flatten(1)[..., None].expand(-1, -1, width)
    return values.gather(1, flat).view(*index.shape, width)


def _best(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The highest scores of the last dimension and their places, best first; of equal ones the first place.

    scores: [..., n] float, equal to -1 or 0 and more. Returns two tensors [..., min(count, n)].

    `topk` alone takes any of equal scores, by layout. A stable sort of all takes several times as long as
    `topk` of keys that no two places share: bits of a float32 that is not negative are in its order.
    """
    n = scores.shape[-1]
    places = torch.arange(n - 1, -1, -1, device=scores.device)
    keys = (scores.float().view(torch.int32).to(torch.int64) << 32) + places
    place = keys.topk(min(count, n), dim=-1).indices
    return scores.gather(-1, place), place


def _suppress(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """boxes: [..., k, 4] and scores: [..., k], best first. Returns the scores, suppressed ones voided."""
    overlap = pairwise_iou(boxes, boxes).triu(diagonal=1)
    # column j holds the overlap of box j with each better one
    return scores.masked_fill(~(overlap.amax(dim=-2) <= iou_threshold), _NOTHING)


NMS: dict[str, Callable[[Tensor, Tensor, DetectionConfig], Kept]] = {
    "fast": fast_nms,
    "class-agnostic": class_agnostic_fast_nms,
    "exact": exact_nms,
    "soft": soft_nms,
}
