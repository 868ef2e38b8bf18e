"""Which cells of an anchor-free head learn which object."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from model.detection.boxes import pairwise_iou, to_corners
from model.input_shape import InputShape
from model.network.anchors import make_cells
from model.training.data.targets import Targets
from model.training.matching import BACKGROUND, CANDIDATES, MOST_CELLS, NEUTRAL, assign

SIDE, CLASSES = 64, 3
CELLS = make_cells(InputShape((SIDE, SIDE), (SIDE, SIDE)))
Box = tuple[float, float, float, float]
LEFT, RIGHT = (0.05, 0.1, 0.45, 0.9), (0.5, 0.2, 0.95, 0.8)


def targets(*objects: tuple[Box, int], crowds: int = 0, **more: Any) -> Targets:
    """The last `crowds` objects are crowds."""
    return Targets(
        boxes=torch.tensor([box for box, _ in objects]).view(-1, 4),
        classes=torch.tensor([index for _, index in objects], dtype=torch.long),
        masks=torch.ones(len(objects), SIDE, SIDE),
        crowd=torch.arange(len(objects)) >= len(objects) - crowds,
        **more,
    )


def predictions(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Boxes around their cells, of random sizes, and random scores."""
    generator = torch.Generator().manual_seed(seed)
    sizes = 0.1 + torch.rand(len(CELLS), 2, generator=generator) * 0.6
    boxes = to_corners(torch.cat([CELLS[:, :2], sizes], dim=1))
    return boxes, torch.rand(len(CELLS), CLASSES, generator=generator)


def slow_assign(t: Targets, boxes: Tensor, scores: Tensor) -> list[int]:
    """SimOTA, object by object and cell by cell; neither crowds nor labels that are not exhaustive."""
    claims: dict[int, list[tuple[float, int]]] = {}
    for n, (x1, y1, x2, y2) in enumerate(t.boxes.tolist()):
        ranked = []
        for cell, (cx, cy, w, h) in enumerate(CELLS.tolist()):
            if x1 - w / 2 <= cx <= x2 + w / 2 and y1 - h / 2 <= cy <= y2 + h / 2:
                iou = float(pairwise_iou(t.boxes[n : n + 1], boxes[cell : cell + 1]))
                ranked.append((iou * float(scores[cell, t.classes[n]]) ** 0.5, iou, cell))
        ranked.sort(reverse=True)
        count = round(sum(iou for _, iou, _ in ranked[:CANDIDATES]))
        for _, iou, cell in ranked[: min(max(count, 1), MOST_CELLS)]:
            claims.setdefault(cell, []).append((iou, n))
    return [max(claims[cell])[1] if cell in claims else BACKGROUND for cell in range(len(CELLS))]


@pytest.mark.parametrize("seed", range(5))
def test_cells_go_to_objects_as_the_slow_way_has_it(seed: int):
    t = targets((LEFT, 0), (RIGHT, 2), ((0.3, 0.3, 0.7, 0.7), 1), ((0.61, 0.61, 0.64, 0.66), 1))
    boxes, scores = predictions(seed)

    matches = assign(t, boxes, scores, CELLS)

    assert matches.objects.tolist() == slow_assign(t, boxes, scores)
    assert int(matches.positive.sum()) > 4


def test_an_object_that_nobody_sees_yet_still_gets_a_cell_inside_of_it():
    boxes = torch.zeros(len(CELLS), 4)  # of no area: they overlap nothing
    matches = assign(targets((LEFT, 0), (RIGHT, 1)), boxes, torch.zeros(len(CELLS), CLASSES), CELLS)

    assert [int((matches.objects == n).sum()) for n in (0, 1)] == [1, 1]
    for n, (x1, y1, x2, y2) in enumerate((LEFT, RIGHT)):
        cx, cy, w, h = CELLS[matches.objects == n][0].tolist()
        assert x1 - w / 2 <= cx <= x2 + w / 2
        assert y1 - h / 2 <= cy <= y2 + h / 2


def test_no_object_gets_more_than_nine_cells_however_well_it_is_seen():
    boxes = torch.tensor(LEFT).expand(len(CELLS), 4)
    matches = assign(targets((LEFT, 0)), boxes, torch.ones(len(CELLS), CLASSES), CELLS)
    assert int(matches.positive.sum()) == MOST_CELLS


def test_a_better_score_of_its_class_wins_where_boxes_are_alike():
    boxes = torch.tensor(LEFT).expand(len(CELLS), 4)
    scores = torch.full((len(CELLS), CLASSES), 0.1)
    inside = ((CELLS[:64, 0] > 0.1) & (CELLS[:64, 0] < 0.4) & (CELLS[:64, 1] > 0.2)).nonzero().squeeze(1)
    better = inside[:9]
    scores[better, 1] = 0.9

    matches = assign(targets((LEFT, 1)), boxes, scores, CELLS)

    assert matches.positive.nonzero().squeeze(1).tolist() == better.tolist()


def test_without_objects_everything_is_background():
    matches = assign(targets(), *predictions(), CELLS)
    assert set(matches.objects.tolist()) == {BACKGROUND}


def test_what_is_seen_inside_of_a_crowd_is_neither_right_nor_wrong():
    crowd = (0.5, 0.0, 1.0, 1.0)
    boxes, scores = predictions()

    alone = assign(targets((LEFT, 0)), boxes, scores, CELLS)
    beside = assign(targets((LEFT, 0), (crowd, 0), crowds=1), boxes, scores, CELLS)

    x1, x2 = boxes[:, 0], boxes[:, 2]
    y1, y2 = boxes[:, 1], boxes[:, 3]
    width = (x2.clamp(max=1.0) - x1.clamp(min=0.5)).clamp(min=0)
    height = (y2.clamp(max=1.0) - y1.clamp(min=0.0)).clamp(min=0)
    covered = width * height / ((x2 - x1) * (y2 - y1)) > 0.7
    assert torch.equal(beside.positive, alone.positive)
    assert torch.equal(beside.objects == NEUTRAL, covered & ~alone.positive)
    assert int((beside.objects == NEUTRAL).sum()) > 5


def test_a_crowd_alone_is_learned_by_no_cell():
    matches = assign(targets(((0.0, 0.0, 1.0, 1.0), 0), crowds=1), *predictions(), CELLS)
    assert not matches.positive.any()


def test_where_labels_are_not_exhaustive_only_what_touches_an_object_is_background():
    boxes, scores = predictions()

    some = assign(targets((LEFT, 0), exhaustive=False), boxes, scores, CELLS)
    whole = assign(targets((LEFT, 0)), boxes, scores, CELLS)

    touched = pairwise_iou(torch.tensor([LEFT]), boxes)[0] > 0
    assert torch.equal(some.positive, whole.positive)
    assert bool((some.objects[touched] != NEUTRAL).all())
    assert set(some.objects[~touched & (CELLS[:, 0] > 0.6)].tolist()) == {NEUTRAL}
    assert set(assign(targets(exhaustive=False), boxes, scores, CELLS).objects.tolist()) == {NEUTRAL}
