"""Non-maximum suppression: Fast NMS (paper, section 4), its class-agnostic form, exact greedy NMS, Soft-NMS.

The fast forms have a fixed shape for a given input, no loop and no host synchronisation. Each function takes

    boxes:  [B, A, 4] float, x1 y1 x2 y2
    scores: [B, C, A] float, probability of each foreground class

and returns `Kept`, sorted by descending score, equal scores by class and anchor, on every device, memory
layout and batch: the result of an image depends on the image only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from model.config import DetectionConfig
from model.detection.boxes import pairwise_iou

_SOFT_IOU = 0.3  # as published
_NOTHING = -1.0  # the score of a place that holds no detection; below every probability


class Kept(NamedTuple):
    """D places an image, the first of which hold detections; `valid` is True there."""

    anchors: Tensor  # [B, D] int64, row of the raw outputs
    classes: Tensor  # [B, D] int64, background not counted
    scores: Tensor  # [B, D] float
    valid: Tensor  # [B, D] bool


def fast_nms(boxes: Tensor, scores: Tensor, config: DetectionConfig) -> Kept:
    """Fast NMS for each class: a box is suppressed when any better one of its class overlaps it too much.

    Suppressed boxes suppress others too, which makes it one matrix operation. An anchor takes part when any
    of its classes passes the confidence threshold, and may yield several classes, for which no further
    threshold holds (as released).
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
    """Greedy NMS for each class by torchvision; the confidence threshold holds for each class.

    It waits for the device and processes one image after another.
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
        # torchvision's order of equal scores depends on their number
        keep = keep.sort().values
        keep = keep[candidates[keep].argsort(descending=True, stable=True)[:places]]
        empty[image, : len(keep)] = candidates[keep]
        anchors[image, : len(keep)] = a[keep]
        classes[image, : len(keep)] = c[keep]
    return Kept(anchors, classes, empty, empty > _NOTHING)


def soft_nms(boxes: Tensor, scores: Tensor, config: DetectionConfig) -> Kept:
    """Linear Soft-NMS for each class (Bodla et al., ICCV 2017, arXiv 1704.04503).

    The best detection multiplies the scores of its class that overlap it by an IoU of more than 0.3 by 1 -
    IoU; then the best of the remaining ones does, and so on. The confidence threshold holds for each class,
    before and after. There is a step a detection; only on the CPU does it end when none is left.
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
    """Return [B, D] bool, True for sure detections that lie on a better one of another class.

    boxes: [B, D, 4] x1 y1 x2 y2, of `kept`, finite
    sure:  [B, D] bool

    Of two classes on one object a user expects one. Detections below their threshold stay: they matter to
    average precision only, where the second class may be the right one. Never waits for the device.
    """
    overlap = pairwise_iou(boxes, boxes).triu(diagonal=1)  # column j holds the overlap with each better one
    others = kept.classes[..., :, None] != kept.classes[..., None, :]
    return ((overlap > iou_threshold) & others & sure[..., :, None]).any(dim=-2) & sure


def rows_at(values: Tensor, index: Tensor) -> Tensor:
    """Return the rows [B, …, n] of values [B, A, n] at index [B, …] for each image."""
    width = values.shape[-1]
    flat = index.flatten(1)[..., None].expand(-1, -1, width)
    return values.gather(1, flat).view(*index.shape, width)


def _best(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the highest scores of the last dimension and their indices; equal scores by index.

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
    """Return scores [..., k] with those of suppressed boxes voided. boxes: [..., k, 4], best first."""
    overlap = pairwise_iou(boxes, boxes).triu(diagonal=1)
    # column j holds the overlap of box j with each better one
    return scores.masked_fill(~(overlap.amax(dim=-2) <= iou_threshold), _NOTHING)


NMS: dict[str, Callable[[Tensor, Tensor, DetectionConfig], Kept]] = {
    "fast": fast_nms,
    "class-agnostic": class_agnostic_fast_nms,
    "exact": exact_nms,
    "soft": soft_nms,
}
