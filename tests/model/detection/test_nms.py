"""The kinds of NMS against plain loops."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from model.config import DetectionConfig
from model.detection.nms import NMS, Kept, class_agnostic_fast_nms, doubles, exact_nms, fast_nms
from model.options import NMS_KINDS

CONFIG = DetectionConfig(nms_top_k=6, max_detections=8)


def iou(a: list[float], b: list[float]) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union if union else 0.0


Found = list[tuple[float, int, int]]  # score, class, anchor


def slow_fast_nms(boxes: list[list[float]], scores: list[list[float]], config: DetectionConfig) -> Found:
    """scores: [class][anchor]."""
    candidates = [
        a for a in range(len(boxes)) if max(of_class[a] for of_class in scores) > config.confidence_threshold
    ]
    found = []
    for c, of_class in enumerate(scores):
        ranked = sorted(candidates, key=lambda a: -of_class[a])[: config.nms_top_k]
        for place, a in enumerate(ranked):
            # also what is dropped itself drops others: that makes it fast
            if all(iou(boxes[a], boxes[better]) <= config.nms_iou_threshold for better in ranked[:place]):
                found.append((of_class[a], c, a))
    return sorted(found, reverse=True)[: config.max_detections]


def slow_class_agnostic_nms(
    boxes: list[list[float]], scores: list[list[float]], config: DetectionConfig
) -> Found:
    best = [max((of_class[a], c) for c, of_class in enumerate(scores)) for a in range(len(boxes))]
    ranked = sorted(range(len(boxes)), key=lambda a: -best[a][0])[: config.nms_top_k]
    ranked = [a for a in ranked if best[a][0] > config.confidence_threshold]
    found = []
    for place, a in enumerate(ranked):
        if all(iou(boxes[a], boxes[better]) <= config.nms_iou_threshold for better in ranked[:place]):
            found.append((*best[a], a))
    return sorted(found, reverse=True)[: config.max_detections]


def slow_exact_nms(boxes: list[list[float]], scores: list[list[float]], config: DetectionConfig) -> Found:
    found = []
    for c, of_class in enumerate(scores):
        kept: list[int] = []
        for a in sorted(range(len(boxes)), key=lambda a: -of_class[a]):
            if of_class[a] > config.confidence_threshold and all(
                iou(boxes[a], boxes[better]) <= config.nms_iou_threshold for better in kept
            ):
                kept.append(a)
        found += [(of_class[a], c, a) for a in kept]
    return sorted(found, reverse=True)[: config.max_detections]


def slow_soft_nms(boxes: list[list[float]], scores: list[list[float]], config: DetectionConfig) -> Found:
    found = []
    for c, of_class in enumerate(scores):
        ranked = sorted(range(len(boxes)), key=lambda a: -of_class[a])[: config.nms_top_k]
        left = {a: of_class[a] for a in ranked if of_class[a] > config.confidence_threshold}
        while left:
            best = max(left, key=lambda a: left[a])
            found.append((left.pop(best), c, best))
            overlaps = {a: iou(boxes[best], boxes[a]) for a in left}
            lowered = {a: score * (1 - overlaps[a] * (overlaps[a] > 0.3)) for a, score in left.items()}
            left = {a: score for a, score in lowered.items() if score > config.confidence_threshold}
    return sorted(found, reverse=True)[: config.max_detections]


ORACLES = {
    "fast": slow_fast_nms,
    "class-agnostic": slow_class_agnostic_nms,
    "exact": slow_exact_nms,
    "soft": slow_soft_nms,
}


def listed(kept: Kept, image: int = 0) -> Found:
    """What was found, best first; checks that the places behind hold nothing."""
    valid = kept.valid[image]
    count = int(valid.sum())
    assert bool(valid[:count].all())
    rows = zip(
        kept.scores[image].tolist(), kept.classes[image].tolist(), kept.anchors[image].tolist(), strict=True
    )
    return list(rows)[:count]


@st.composite
def crowded_scenes(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """Boxes [1, A, 4] on a coarse grid, so that they overlap, and scores [1, C, A] without ties."""
    anchors, classes = draw(st.integers(1, 14)), draw(st.integers(1, 3))
    corner, side = st.integers(0, 6), st.integers(1, 6)
    boxes = [
        (x / 8, y / 8, (x + w) / 8, (y + h) / 8)
        for x, y, w, h in (draw(st.tuples(corner, corner, side, side)) for _ in range(anchors))
    ]
    places = draw(st.permutations(range(anchors * classes)))
    # half of all scores lie under the threshold of 0.05
    scores = torch.tensor(places).double().add(1).div(anchors * classes + 1).pow(4)
    return torch.tensor(boxes).double()[None], scores.view(1, classes, anchors)


@pytest.mark.parametrize("kind", NMS)
@settings(deadline=None, max_examples=60)
@given(crowded_scenes())
def test_every_kind_finds_what_plain_loops_find(kind: str, scene: tuple[Tensor, Tensor]):
    boxes, scores = scene

    kept = NMS[kind](boxes, scores, CONFIG)

    assert listed(kept) == ORACLES[kind](boxes[0].tolist(), scores[0].tolist(), CONFIG)


def test_the_kinds_are_those_that_a_user_may_name():
    assert tuple(NMS) == NMS_KINDS


def test_softly_a_second_object_close_by_stays_and_a_double_of_the_first_scores_little():
    boxes = torch.tensor([[[0.0, 0, 1, 1], [0.5, 0, 1.5, 1], [0.0, 0, 1, 0.95]]])
    kept = NMS["soft"](boxes, torch.tensor([[[0.9, 0.8, 0.7]]]), CONFIG)
    # IoU of 1/3 and of 0.95 with the best; the last one loses by the second, too
    assert [a for _, _, a in listed(kept)] == [0, 1]
    assert kept.scores[0, :2].tolist() == pytest.approx([0.9, 0.8 * 2 / 3])


# b overlaps a, c overlaps b, but c does not overlap a
CHAIN = torch.tensor([[[0.0, 0, 1, 1], [0.3, 0, 1.3, 1], [0.6, 0, 1.6, 1]]])


@pytest.mark.parametrize(("kind", "anchors"), [("fast", [0]), ("class-agnostic", [0]), ("exact", [0, 2])])
def test_in_the_fast_kinds_a_suppressed_box_still_suppresses(kind: str, anchors: list[int]):
    kept = NMS[kind](CHAIN, torch.tensor([[[0.9, 0.8, 0.7]]]), CONFIG)
    assert [a for _, _, a in listed(kept)] == anchors


@pytest.mark.parametrize(("kind", "classes"), [("fast", [0, 1]), ("class-agnostic", [0]), ("exact", [0, 1])])
def test_boxes_of_two_classes_in_one_place_both_stay_but_class_agnostically(kind: str, classes: list[int]):
    boxes = torch.tensor([[[0.0, 0, 1, 1], [0.0, 0, 1, 1]]])
    scores = torch.tensor([[[0.9, 0.0], [0.0, 0.8]]])
    found = [(s, c) for s, c, _ in listed(NMS[kind](boxes, scores, CONFIG)) if s > 0]
    assert [c for _, c in found] == classes


def kept_of(scores: list[float], classes: list[int]) -> Kept:
    anchors = torch.arange(len(scores))[None]
    values = torch.tensor([scores])
    return Kept(anchors, torch.tensor([classes]), values, values > 0)


def test_a_weaker_class_on_the_same_object_is_a_double_of_a_sure_one():
    boxes = torch.tensor([[[0.0, 0, 1, 1], [0, 0, 1, 0.9], [0, 0, 1, 0.5], [0, 0.02, 1, 1]]])
    kept = kept_of([0.9, 0.6, 0.5, 0.4], [0, 1, 2, 0])
    sure = kept.scores > 0.3
    # of another class and overlapping by 0.9; by a half only; and of the same class, which is NMS's affair
    assert doubles(boxes, kept, sure, 0.7).tolist() == [[False, True, False, True]]
    assert doubles(boxes[:, [0, 3]], kept_of([0.9, 0.4], [0, 0]), sure[:, :2], 0.7).any().item() is False


@pytest.mark.parametrize("scores", [[0.2, 0.1], [0.9, 0.1]])
def test_what_nobody_is_shown_is_no_double(scores: list[float]):
    boxes = torch.tensor([[[0.0, 0, 1, 1], [0, 0, 1, 1]]])
    kept = kept_of(scores, [0, 1])
    assert not doubles(boxes, kept, kept.scores > 0.3, 0.7).any()


def test_one_confident_anchor_may_yield_classes_below_the_threshold_as_released():
    boxes = torch.tensor([[[0.0, 0, 1, 1]]])
    scores = torch.tensor([[[0.9], [0.01]]])
    assert len(listed(fast_nms(boxes, scores, CONFIG))) == 2
    assert len(listed(exact_nms(boxes, scores, CONFIG))) == 1


@pytest.mark.parametrize("kind", NMS)
def test_nothing_above_the_threshold_is_nothing_found(kind: str):
    kept = NMS[kind](torch.rand(2, 30, 4), torch.full((2, 3, 30), 0.05), CONFIG)
    assert not bool(kept.valid.any())


@pytest.mark.parametrize("kind", NMS)
def test_images_of_a_batch_do_not_meet(kind: str):
    generator = torch.Generator().manual_seed(3)
    low = torch.rand(3, 40, 2, generator=generator)
    boxes = torch.cat([low, low + torch.rand(3, 40, 2, generator=generator)], -1)
    scores = torch.rand(3, 4, 40, generator=generator)

    together = NMS[kind](boxes, scores, CONFIG)

    for image in range(3):
        alone = NMS[kind](boxes[image][None], scores[image][None], CONFIG)
        assert listed(together, image) == listed(alone)


@pytest.mark.parametrize("kind", ["fast", "class-agnostic"])
def test_a_thousand_anchors_give_the_shape_of_the_configuration_whatever_they_hold(kind: str):
    config = dataclasses.replace(CONFIG, nms_top_k=200, max_detections=100)
    boxes = torch.rand(2, 1000, 4)
    for scores in (torch.zeros(2, 5, 1000), torch.rand(2, 5, 1000)):
        assert {tuple(part.shape) for part in NMS[kind](boxes, scores, config)} == {(2, 100)}


def test_probabilities_that_are_not_numbers_are_not_found():
    boxes = CHAIN.clone()
    scores = torch.tensor([[[float("nan"), 0.8, 0.1]]])
    for function in (fast_nms, class_agnostic_fast_nms, exact_nms):
        assert 0 not in [a for _, _, a in listed(function(boxes, scores, CONFIG))]


def tied(layout: str, repeats: int) -> tuple[Tensor, Tensor]:
    """Boxes far apart with three levels of scores, in one of the ways in which they may lie in memory."""
    generator = torch.Generator().manual_seed(3)
    scores = torch.randint(1, 4, (1, 5, 400), generator=generator) / 4
    at = torch.arange(400.0)[None, :, None]
    boxes = torch.cat([at, at, at + 0.5, at + 0.5], dim=-1)
    scores, boxes = scores.repeat(repeats, 1, 1), boxes.repeat(repeats, 1, 1)
    if layout == "anchors last":
        return boxes, scores
    return boxes, scores.transpose(1, 2).contiguous().transpose(1, 2)


@pytest.mark.parametrize("kind", NMS_KINDS)
@pytest.mark.parametrize("repeats", [1, 4, 9])
@pytest.mark.parametrize("layout", ["anchors last", "classes last"])
def test_equal_scores_come_in_the_order_of_their_places_however_they_lie_in_memory(kind, repeats, layout):
    config = DetectionConfig(nms_top_k=200, max_detections=300, confidence_threshold=0.05)
    boxes, scores = tied(layout, repeats)
    kept = NMS[kind](boxes, scores, config)
    for image in range(repeats):
        found = listed(kept, image)
        assert len(found) == (200 if kind == "class-agnostic" else 300)
        places = slice(2, 3) if kind == "class-agnostic" else slice(1, 3)
        assert found == sorted(found, key=lambda one: (-one[0], one[places]))
        assert found == listed(NMS[kind](boxes[:1], scores[:1], config))
