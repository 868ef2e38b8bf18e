"""Which cells of an anchor-free head learn which object: chosen by the network's own predictions."""

from __future__ import annotations

import torch
from torch import Tensor

from model.boxes import areas, intersections, pairwise_iou
from model.training.data.targets import Targets
from model.training.matching import BACKGROUND, NEUTRAL, Matches

CANDIDATES = 10
"""An object's IoUs with its best candidates, added up and rounded, are how many cells it gets (SimOTA)."""
MOST_CELLS = 9


@torch.no_grad()
def assign(
    targets: Targets, boxes: Tensor, scores: Tensor, cells: Tensor, crowd_overlap: float = 0.7
) -> Matches:
    """The object that each of A cells learns, after SimOTA (Ge et al., arXiv:2107.08430).

    boxes:  [A, 4] x1 y1 x2 y2, relative, as predicted
    scores: [A, C] in 0..1, as predicted
    cells:  [A, 4] cx cy w h, relative

    Candidates of an object are the cells whose centre lies in its box, widened by half a cell. They are
    ranked by IoU times the root of the score of the object's class. A cell that several objects want goes
    to the one that its box overlaps most. Crowds, and labels that are not exhaustive, count as in
    `model.training.matching.match`.
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
    """[N, A] bool: whether a cell's centre lies in a box [N, 4] widened by half a cell on each side."""
    centre, half = cells[:, :2], cells[:, 2:] / 2
    low, high = truth[:, None, :2], truth[:, None, 2:]
    return ((centre + half >= low) & (centre - half <= high)).all(dim=2)


def _wanted(rank: Tensor, overlaps: Tensor) -> Tensor:
    """[N, A] bool: the best candidates of each object, at least one."""
    count = min(CANDIDATES, rank.shape[1])
    values, columns = rank.topk(count, dim=1)
    sums = overlaps.gather(1, columns).masked_fill(values < 0, 0.0).sum(dim=1)
    cells = sums.round().clamp(min=1, max=MOST_CELLS)
    taken = (torch.arange(count, device=rank.device) < cells[:, None]) & (values >= 0)
    return torch.zeros_like(rank, dtype=torch.bool).scatter(1, columns, taken)
