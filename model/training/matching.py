"""Assignment of labelled objects to anchors (paper, section 4, after SSD) and to anchor-free cells."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from model.config import LossConfig
from model.detection.boxes import areas, intersections, pairwise_iou, to_corners
from model.training.data.targets import Targets

BACKGROUND = -1
NEUTRAL = -2
CANDIDATES = 10
"""An object gets as many cells as the rounded sum of its IoUs with its best candidates (SimOTA)."""
MOST_CELLS = 9


class Matches(NamedTuple):
    """Assignment of A anchors or cells: an object, the background, or neither."""

    objects: Tensor  # [A] int64: index into the targets, BACKGROUND or NEUTRAL

    @property
    def positive(self) -> Tensor:
        """[A] bool, True where an object is learned."""
        return self.objects >= 0

    @property
    def negative(self) -> Tensor:
        """[A] bool, True where the background is learned."""
        return self.objects == BACKGROUND


def match(targets: Targets, anchors: Tensor, config: LossConfig) -> Matches:
    """Match the objects of one image to anchors [A, 4] (cx cy w h, relative).

    Positive from `positive_iou`, negative under `negative_iou`, neutral between. Each object also claims
    its best anchor. Crowds are not learned: anchors in one are neutral unless they are positive. Where the
    labels are not exhaustive, an anchor that touches no labelled object is neutral.
    """
    corners = to_corners(anchors)
    single = (~targets.crowd).nonzero().squeeze(1)
    if len(single) == 0:
        objects = torch.full((len(anchors),), BACKGROUND, device=anchors.device)
        touched = torch.zeros(len(anchors), dtype=torch.bool, device=anchors.device)
    else:
        overlaps = pairwise_iou(targets.boxes[single], corners)  # [N, A]
        best, which = overlaps.max(dim=0)
        objects = torch.where(best < config.positive_iou, NEUTRAL, single[which])
        objects = torch.where(best < config.negative_iou, BACKGROUND, objects)
        touched = best > 0
        claimed = _claims(overlaps)
        objects[claimed] = single
    if targets.crowd.any():
        shared = intersections(corners, targets.boxes[targets.crowd]) / areas(corners)[:, None]  # [A, crowds]
        objects[(objects < 0) & (shared.amax(dim=1) > config.crowd_overlap)] = NEUTRAL
    if not targets.exhaustive:
        objects[(objects == BACKGROUND) & ~touched] = NEUTRAL
    return Matches(objects)


def _claims(overlaps: Tensor) -> Tensor:
    """Return the anchor of each object, [N]; the highest overlap chooses first. overlaps: [N, A]."""
    overlaps = overlaps.clone()
    values, columns = overlaps.max(dim=1)
    best, choice = values.tolist(), columns.tolist()
    waiting = set(range(len(best)))
    while waiting:
        first = max(waiting, key=lambda n: (best[n], -n))
        waiting.remove(first)
        overlaps[:, choice[first]] = -1
        for loser in [n for n in waiting if choice[n] == choice[first]]:
            best[loser], choice[loser] = (v.item() for v in overlaps[loser].max(dim=0))
    return torch.tensor(choice, device=overlaps.device)


@torch.no_grad()
def assign(
    targets: Targets, boxes: Tensor, scores: Tensor, cells: Tensor, crowd_overlap: float = 0.7
) -> Matches:
    """Assign objects to A cells by the network's predictions, after SimOTA (Ge et al., arXiv:2107.08430).

    boxes:  [A, 4] x1 y1 x2 y2, relative, as predicted
    scores: [A, C] in 0..1, as predicted
    cells:  [A, 4] cx cy w h, relative

    Candidates of an object are the cells whose centre lies in its box, widened by half a cell. They are
    ranked by IoU times the root of the score of the object's class. A cell that several objects want goes
    to the one that its box overlaps most. Crowds, and labels that are not exhaustive, count as in
    `match`.
    """
    single = (~targets.crowd).nonzero().squeeze(1)
    objects = torch.full((len(cells),), BACKGROUND, device=cells.device)
    touched = torch.zeros(len(cells), dtype=torch.bool, device=cells.device)
    if len(single):
        truth = targets.boxes[single]
        overlaps = pairwise_iou(truth, boxes)  # [N, A]
        rank = overlaps * scores[:, targets.classes[single]].T.sqrt()
        rank = rank.masked_fill(~_within(truth, cells), -1.0)
        wanted = _wanted(rank, overlaps)
        rival = overlaps.masked_fill(~wanted, -1.0)
        best, which = rival.max(dim=0)
        objects = torch.where(best >= 0, single[which], objects)
        touched = (overlaps > 0).any(dim=0) | _within(truth, cells).any(dim=0)
    free = objects < 0
    if bool(targets.crowd.any()):
        shared = intersections(boxes, targets.boxes[targets.crowd]) / areas(boxes).clamp(min=1e-9)[:, None]
        objects[free & (shared.amax(dim=1) > crowd_overlap)] = NEUTRAL
    if not targets.exhaustive:
        objects[free & ~touched] = NEUTRAL
    return Matches(objects)


def _within(truth: Tensor, cells: Tensor) -> Tensor:
    """Return [N, A] bool, True if a cell's centre lies in a box [N, 4] widened by half a cell."""
    centre, half = cells[:, :2], cells[:, 2:] / 2
    low, high = truth[:, None, :2], truth[:, None, 2:]
    return ((centre + half >= low) & (centre - half <= high)).all(dim=2)


def _wanted(rank: Tensor, overlaps: Tensor) -> Tensor:
    """Return [N, A] bool, True for the best candidates of each object, at least one."""
    count = min(CANDIDATES, rank.shape[1])
    values, columns = rank.topk(count, dim=1)
    sums = overlaps.gather(1, columns).masked_fill(values < 0, 0.0).sum(dim=1)
    cells = sums.round().clamp(min=1, max=MOST_CELLS)
    taken = (torch.arange(count, device=rank.device) < cells[:, None]) & (values >= 0)
    return torch.zeros_like(rank, dtype=torch.bool).scatter(1, columns, taken)
