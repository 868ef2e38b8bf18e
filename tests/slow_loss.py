"""The loss by plain loops, slow and obvious, for fully labelled images and the published `LossConfig`."""

from __future__ import annotations

import math

from torch import Tensor

from model.detection.boxes import decode
from model.network.yolact import RawOutputs
from model.training.data.targets import Targets
from model.training.matching import match
from tests.loss_scenes import ANCHORS, CLASSES, GRID, PROTOTYPE_SIDE, PUBLISHED, SIDE


def slow_smooth_l1(a: float, b: float) -> float:
    d = abs(a - b)
    return d * d / 2 if d < 1 else d - 0.5


def slow_box(deltas: list[float], anchor: list[float], box: list[float]) -> float:
    cx, cy, w, h = anchor
    x1, y1, x2, y2 = box
    goal = (
        ((x1 + x2) / 2 - cx) / w / 0.1,
        ((y1 + y2) / 2 - cy) / h / 0.1,
        math.log((x2 - x1) / w) / 0.2,
        math.log((y2 - y1) / h) / 0.2,
    )
    return sum(map(slow_smooth_l1, deltas, goal))


def slow_giou(a: list[float], b: list[float]) -> float:
    shared = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    return 1 - shared / union + (hull - union) / hull


def slow_class(logits: list[list[float]], matched: list[int], classes: list[int]) -> float:
    def cost(row: list[float], index: int) -> float:
        return math.log(sum(map(math.exp, row))) - row[index]

    positives = [cost(row, classes[m] + 1) for row, m in zip(logits, matched, strict=True) if m >= 0]
    negatives = sorted(
        (cost(row, 0) for row, m in zip(logits, matched, strict=True) if m == -1), reverse=True
    )
    return sum(positives) + sum(negatives[: 3 * len(positives)])


def slow_at_size(mask: Tensor, side: int) -> list[list[bool]]:
    """Bilinear without antialiasing at an even factor: the mean of the four pixels in a cell's middle."""
    factor = SIDE // side
    middle = [factor // 2 - 1, factor // 2]
    return [
        [
            sum(float(mask[y * factor + i, x * factor + j]) for i in middle for j in middle) / 4 > 0.5
            for x in range(side)
        ]
        for y in range(side)
    ]


def slow_probabilities(prototypes: Tensor, coefficients: Tensor, box: list[float]) -> list[list[float]]:
    x1, y1, x2, y2 = (v * PROTOTYPE_SIDE for v in box)
    logits = (prototypes * coefficients).sum(-1).tolist()
    return [
        [
            1 / (1 + math.exp(-logit)) if x1 - 1 <= x < x2 + 1 and y1 - 1 <= y < y2 + 1 else 0.0
            for x, logit in enumerate(row)
        ]
        for y, row in enumerate(logits)
    ]


def slow_mask(probabilities: list[list[float]], truth: list[list[bool]], box: list[float]) -> float:
    total = 0.0
    for row, goals in zip(probabilities, truth, strict=True):
        for p, goal in zip(row, goals, strict=True):
            chance = p if goal else 1 - p
            total += min(100.0, -math.log(chance)) if chance > 0 else 100.0
    return total / ((box[2] - box[0]) * (box[3] - box[1]) * PROTOTYPE_SIDE**2)


def slow_mask_iou(probabilities: list[list[float]], truth: list[list[bool]], of_class: int) -> float:
    area = sum(map(sum, truth))
    if area <= 25:
        return 0.0
    pairs = [
        (p > 0.5, t)
        for row, goals in zip(probabilities, truth, strict=True)
        for p, t in zip(row, goals, strict=True)
    ]
    iou = sum(p and t for p, t in pairs) / sum(p or t for p, t in pairs)
    rated = sum(map(sum, probabilities)) / PROTOTYPE_SIDE**2 * (of_class + 1)
    return slow_smooth_l1(rated, iou)


def slow_semantic(logits: Tensor, labels: Targets) -> float:
    total = 0.0
    masks = [
        (int(labels.classes[i]), slow_at_size(labels.masks[i], GRID))
        for i in range(len(labels))
        if not labels.crowd[i]
    ]
    for index in range(CLASSES):
        for y in range(GRID):
            for x in range(GRID):
                goal = any(c == index and mask[y][x] for c, mask in masks)
                logit = float(logits[index, y, x].detach())
                total += math.log(1 + math.exp(-logit if goal else logit))
    return total / GRID**2


def slow_terms(raw: RawOutputs, all_targets: list[Targets], giou: bool = False) -> dict[str, float]:
    sums = dict.fromkeys(("box", "cls", "mask", "semantic", "mask_iou"), 0.0)
    positives = 0
    raw = RawOutputs(*(part if part is None else part.detach() for part in raw))
    for image, labels in enumerate(all_targets):
        matched = match(labels, ANCHORS, PUBLISHED).objects.tolist()
        sums["cls"] += slow_class(raw.class_logits[image].tolist(), matched, labels.classes.tolist())
        sums["semantic"] += slow_semantic(raw.semantic_logits[image], labels)
        for a, m in enumerate(matched):
            if m < 0:
                continue
            positives += 1
            box, deltas = labels.boxes[m].tolist(), raw.box_deltas[image, a]
            truth = slow_at_size(labels.masks[m], PROTOTYPE_SIDE)
            masks = slow_probabilities(raw.prototypes[image], raw.mask_coefficients[image, a], box)
            sums["box"] += (
                slow_giou(decode(deltas, ANCHORS[a]).tolist(), box)
                if giou
                else slow_box(deltas.tolist(), ANCHORS[a].tolist(), box)
            )
            sums["mask"] += slow_mask(masks, truth, box)
            sums["mask_iou"] += slow_mask_iou(masks, truth, int(labels.classes[m]))
    weights = {"box": 1.5, "cls": 1.0, "mask": 6.125, "mask_iou": 25.0}
    terms = {name: sums[name] * weight / max(positives, 1) for name, weight in weights.items()}
    return terms | {"semantic": sums["semantic"] / len(all_targets)}
