"""How prototypes add up to a mask, held against what the network's own postprocessing makes of them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.detection.masks import assemble, crop
from model.detections import Detections, no_detections
from pipeline.frame import Frame, Inspection, Result
from pipeline.live.assembly import ORDERS, Explanation, add_up, explain, instance_of, overlap

SIZE = (240, 320)
BOXES = ((40.0, 30.0, 200.0, 180.0), (0.0, 0.0, 320.0, 240.0), (300.0, 200.0, 320.0, 240.0))


def found(*boxes: tuple[float, float, float, float]) -> Detections:
    count = len(boxes)
    scores = np.linspace(0.9, 0.5, count).astype(np.float32)
    array = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(SIZE, array, scores, np.zeros(count, np.int64), ("person",), None, scores)


def inspection(count: int = len(BOXES), prototypes: int = 6) -> Inspection:
    rng = np.random.default_rng(0)
    maps = rng.random((23, 31, prototypes), np.float32) * 3
    return Inspection(maps, rng.uniform(-1, 1, (count, prototypes)).astype(np.float32))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("instance", range(len(BOXES)))
def test_all_prototypes_add_up_to_the_mask_that_the_network_assembles(order: str, instance: int) -> None:
    parts, detections = inspection(), found(*BOXES)
    made = add_up(parts.prototypes, explain(parts, detections, instance, order), 6)
    whole = assemble(torch.from_numpy(parts.prototypes)[None], torch.from_numpy(parts.coefficients)[None])
    relative = torch.from_numpy(detections.boxes) / torch.tensor([SIZE[1], SIZE[0]] * 2)
    expected = crop(whole[0], relative)[instance].numpy()
    np.testing.assert_allclose(made.cropped, expected, atol=1e-6)
    assert np.array_equal(made.mask, expected > 0.5)


@given(count=st.integers(0, 6), order=st.sampled_from(sorted(ORDERS)))
def test_a_part_of_the_sum_holds_the_first_prototypes_and_no_others(count: int, order: str) -> None:
    parts = inspection()
    chosen = explain(parts, found(*BOXES), 0, order)
    expected = sum(
        (parts.prototypes[..., k] * parts.coefficients[0, k] for k in chosen.order[:count]),
        np.zeros((23, 31), np.float32),
    )
    made = add_up(parts.prototypes, chosen, count)
    np.testing.assert_allclose(made.sums, expected, atol=1e-5)
    np.testing.assert_allclose(made.probabilities, 1 / (1 + np.exp(-expected)), atol=1e-6)


def test_prototypes_come_in_the_order_that_was_asked_for() -> None:
    maps = np.ones((4, 4, 3), np.float32) * np.array([0.1, 5.0, 1.0], np.float32)
    parts = Inspection(maps, np.array([[-1.0, 0.2, 0.5]], np.float32))
    orders = {name: explain(parts, found(BOXES[1]), 0, name).order.tolist() for name in ORDERS}
    assert orders == {"effect": [1, 2, 0], "coefficient": [0, 2, 1], "index": [0, 1, 2]}


def test_only_what_lies_in_the_box_decides_which_effect_is_large() -> None:
    maps = np.zeros((24, 32, 2), np.float32)
    maps[:, :8, 0] = 100  # outside the box
    maps[:, 24:, 1] = 1
    parts = Inspection(maps, np.ones((1, 2), np.float32))
    assert explain(parts, found((250.0, 0.0, 320.0, 240.0)), 0, "effect").order.tolist() == [1, 0]


def test_sums_of_any_size_make_probabilities_without_overflow() -> None:
    chosen = Explanation(np.array([-1.0, 1.0], np.float32), np.arange(2), np.ones((1, 2), bool))
    maps = np.array([[[1e6, 0], [0, 1e6]]], np.float32)
    assert add_up(maps, chosen, 2).probabilities[0].tolist() == pytest.approx([0, 1])


def test_the_selected_instance_is_explained_or_else_the_best_scored_one() -> None:
    frame = Frame(np.zeros((*SIZE, 3), np.uint8), 0, 0, Fraction(1, 25), 0.0)
    assert instance_of(Result(frame, found(*BOXES), selected=2)) == 2
    assert instance_of(Result(frame, found(*BOXES))) == 0
    assert instance_of(Result(frame, no_detections(SIZE, ()))) is None


def test_masks_overlap_by_intersection_over_union() -> None:
    one, other = np.array([True, True, False]), np.array([False, True, True])
    assert overlap(one, other) == pytest.approx(1 / 3)
    assert overlap(one, one) == 1
    assert overlap(~one & one, ~one & one) == 1
