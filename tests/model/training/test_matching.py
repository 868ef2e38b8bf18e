"""Which anchor learns which object, against plain loops."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from model.config import LossConfig
from model.detection.boxes import to_centres
from model.training.data.targets import Targets
from model.training.matching import BACKGROUND, NEUTRAL, match

CONFIG = LossConfig()


def shared(a: list[float], b: list[float]) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def area(box: list[float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def iou(a: list[float], b: list[float]) -> float:
    return shared(a, b) / (area(a) + area(b) - shared(a, b))


def slow_match(targets: Targets, anchors: list[list[float]], config: LossConfig) -> list[int]:
    """anchors: x1 y1 x2 y2."""
    boxes = targets.boxes.tolist()
    crowd = targets.crowd.tolist()
    objects = [i for i in range(len(boxes)) if not crowd[i]]
    matched = [of_one_anchor(anchor, boxes, objects, config) for anchor in anchors]
    for anchor, claimant in slow_claims(boxes, objects, anchors).items():
        matched[anchor] = claimant
    for a, anchor in enumerate(anchors):
        within = [shared(anchor, boxes[i]) / area(anchor) for i in range(len(boxes)) if crowd[i]]
        if matched[a] < 0 and any(share > config.crowd_overlap for share in within):
            matched[a] = NEUTRAL
        if matched[a] == BACKGROUND and not targets.exhaustive:
            touches = any(shared(anchor, boxes[i]) > 0 for i in objects)
            matched[a] = BACKGROUND if touches else NEUTRAL
    return matched


def of_one_anchor(
    anchor: list[float], boxes: list[list[float]], objects: list[int], config: LossConfig
) -> int:
    best = max(objects, key=lambda i: iou(boxes[i], anchor), default=None)
    if best is None or iou(boxes[best], anchor) < config.negative_iou:
        return BACKGROUND
    return best if iou(boxes[best], anchor) >= config.positive_iou else NEUTRAL


def slow_claims(boxes: list[list[float]], objects: list[int], anchors: list[list[float]]) -> dict[int, int]:
    """Anchor -> its claimant: again and again the best pair of those that are free."""
    claims: dict[int, int] = {}
    waiting = list(objects)
    while waiting:
        free = [a for a in range(len(anchors)) if a not in claims]
        claimant, anchor = max(
            ((i, a) for i in waiting for a in free), key=lambda pair: iou(boxes[pair[0]], anchors[pair[1]])
        )
        claims[anchor] = claimant
        waiting.remove(claimant)
    return claims


def random_boxes(generator: torch.Generator, count: int, largest: float) -> Tensor:
    low = torch.rand(count, 2, generator=generator, dtype=torch.float64) * (1 - largest / 2)
    size = torch.rand(count, 2, generator=generator, dtype=torch.float64) * largest + 0.05
    return torch.cat([low, low + size], dim=1)


def targets_of(boxes: Tensor, crowd: Tensor | None = None, exhaustive: bool = True) -> Targets:
    count = len(boxes)
    return Targets(
        boxes=boxes,
        classes=torch.zeros(count, dtype=torch.long),
        masks=torch.zeros(count, 8, 8),
        crowd=torch.zeros(count, dtype=torch.bool) if crowd is None else crowd,
        exhaustive=exhaustive,
    )


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(0, 6), st.integers(6, 40), st.booleans())
def test_anchors_are_matched_as_plain_loops_match_them(seed: int, count: int, anchors: int, exhaustive: bool):
    generator = torch.Generator().manual_seed(seed)
    boxes = random_boxes(generator, count, largest=0.6)
    crowd = torch.rand(count, generator=generator) < 0.25
    corners = random_boxes(generator, anchors, largest=0.5)
    # some fit well
    corners[: count // 2] = boxes[: count // 2] + 0.02
    targets = targets_of(boxes, crowd, exhaustive)

    matches = match(targets, to_centres(corners), CONFIG)

    assert matches.objects.tolist() == slow_match(targets, corners.tolist(), CONFIG)


ANCHOR = torch.tensor([[0.0, 0.0, 0.4, 0.4]])


@pytest.mark.parametrize(
    ("height", "expected"), [(0.21, 1), (0.19, NEUTRAL), (0.161, NEUTRAL), (0.159, BACKGROUND)]
)
def test_positive_from_one_half_negative_under_two_fifths_neutral_between(height: float, expected: int):
    # object 0 claims the anchor that fits it, so that object 1 has to do without a claim on the other
    far = torch.tensor([0.6, 0.6, 0.9, 0.9])
    boxes = torch.stack([far, torch.tensor([0.0, 0.0, 0.4, height]), torch.tensor([0.0, 0.0, 0.4, height])])
    anchors = torch.cat([ANCHOR, far[None], torch.tensor([[0.0, 0.0, 0.4, height]] * 2)])

    matches = match(targets_of(boxes), to_centres(anchors), CONFIG)

    assert int(matches.objects[0]) == expected
    assert matches.positive.tolist()[0] == (expected >= 0)
    assert matches.negative.tolist()[0] == (expected == BACKGROUND)


def test_every_object_has_an_anchor_however_badly_it_fits():
    boxes = torch.tensor([[0.01, 0.01, 0.02, 0.02], [0.03, 0.03, 0.04, 0.04]])
    anchors = torch.cat([ANCHOR, torch.tensor([[0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 1.0, 1.0]])])

    matches = match(targets_of(boxes), to_centres(anchors), CONFIG)

    assert sorted(matches.objects.tolist()) == [BACKGROUND, 0, 1]


def test_of_two_that_want_one_anchor_the_better_has_it_and_the_other_takes_its_next():
    boxes = torch.tensor([[0.0, 0.0, 0.4, 0.30], [0.0, 0.0, 0.4, 0.38]])
    anchors = torch.cat([ANCHOR, torch.tensor([[0.0, 0.0, 0.9, 0.9]])])

    matches = match(targets_of(boxes), to_centres(anchors), CONFIG)

    assert matches.objects.tolist() == [1, 0]


def test_a_claimed_anchor_belongs_to_its_claimant_even_if_another_fits_better():
    # the large object has only this one anchor near by, which the small one fits better; it has its own
    small, large = [0.0, 0.0, 0.4, 0.4], [0.0, 0.0, 1.0, 1.0]
    anchors = torch.tensor([[0.0, 0.0, 0.4, 0.4], [0.0, 0.0, 0.42, 0.42]])

    matches = match(targets_of(torch.tensor([small, large])), to_centres(anchors), CONFIG)

    assert matches.objects.tolist() == [0, 1]


def test_what_lies_in_a_crowd_is_neutral_and_the_crowd_itself_is_learned_by_nobody():
    crowd = torch.tensor([[0.0, 0.0, 0.5, 0.5]])
    anchors = torch.tensor(
        [[0.0, 0.0, 0.5, 0.5], [0.1, 0.1, 0.2, 0.2], [0.16, 0.0, 0.66, 0.5], [0.14, 0.0, 0.64, 0.5]]
    )

    matches = match(targets_of(crowd, torch.tensor([True])), to_centres(anchors), CONFIG)

    # of the last two, 0.68 and 0.72 lie within
    assert matches.objects.tolist() == [NEUTRAL, NEUTRAL, BACKGROUND, NEUTRAL]


def test_an_object_within_a_crowd_is_learned_all_the_same():
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.4, 0.4]])
    matches = match(targets_of(boxes, torch.tensor([True, False])), to_centres(ANCHOR), CONFIG)
    assert matches.objects.tolist() == [1]


def test_without_objects_all_is_background_or_unknown():
    nothing = torch.zeros(0, 4)
    anchors = to_centres(ANCHOR)
    assert match(targets_of(nothing), anchors, CONFIG).objects.tolist() == [BACKGROUND]
    assert match(targets_of(nothing, exhaustive=False), anchors, CONFIG).objects.tolist() == [NEUTRAL]


def test_where_labels_are_not_exhaustive_only_what_overlaps_an_object_is_background():
    boxes = torch.tensor([[0.0, 0.0, 0.4, 0.4]])
    anchors = torch.cat([ANCHOR, torch.tensor([[0.3, 0.3, 0.9, 0.9], [0.5, 0.5, 0.9, 0.9]])])

    matches = match(targets_of(boxes, exhaustive=False), to_centres(anchors), CONFIG)

    assert matches.objects.tolist() == [0, BACKGROUND, NEUTRAL]


def test_the_thresholds_are_those_of_the_configuration():
    config = dataclasses.replace(CONFIG, positive_iou=0.9, negative_iou=0.8)
    boxes = torch.tensor([[0.0, 0.0, 0.4, 0.34], [0.0, 0.0, 0.4, 0.34]])
    anchors = torch.cat([ANCHOR, boxes])
    assert match(targets_of(boxes), to_centres(anchors), config).objects.tolist()[0] == NEUTRAL
