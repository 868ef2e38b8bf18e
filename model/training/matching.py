"""Which anchor learns which object (paper, section 4, after SSD)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from model.boxes import areas, intersections, pairwise_iou, to_corners
from model.config import LossConfig
from model.training.data.targets import Targets

BACKGROUND = -1
NEUTRAL = -2


class Matches(NamedTuple):
    """For each of A anchors: the object that it learns, or that it learns background, or nothing."""

    objects: Tensor  # [A] int64: index into the targets, BACKGROUND or NEUTRAL

    @property
    def positive(self) -> Tensor:
        """[A] bool."""
        return self.objects >= 0

    @property
    def negative(self) -> Tensor:
        """[A] bool."""
        return self.objects == BACKGROUND


def match(targets: Targets, anchors: Tensor, config: LossConfig) -> Matches:
    """Match the objects of one image to anchors [A, 4] (cx cy w h, relative).

    Positive from `positive_iou`, negative under `negative_iou`, neutral between. Each object also claims
    its best anchor. Crowds are not learned: what lies in one is neutral, unless it is positive. Where the
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
    """overlaps: [N, A]. Returns [N]: the anchor of each object; the highest overlap chooses first."""
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
