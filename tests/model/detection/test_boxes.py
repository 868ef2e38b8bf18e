"""Box notations, their encoding, and their overlap."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.detection.boxes import (
    areas,
    decode,
    decode_distances,
    encode,
    encode_distances,
    intersections,
    pairwise_iou,
    to_centres,
    to_corners,
)

FLOATS = st.floats(-2, 3, width=32)
BOXES = st.lists(st.tuples(FLOATS, FLOATS, FLOATS, FLOATS), min_size=1, max_size=6).map(
    lambda rows: torch.tensor([[min(a, c), min(b, d), max(a, c), max(b, d)] for a, b, c, d in rows])
)


@settings(deadline=None)
@given(BOXES)
def test_the_two_notations_are_inverse_to_each_other(boxes: torch.Tensor):
    torch.testing.assert_close(to_corners(to_centres(boxes)), boxes, atol=1e-5, rtol=0)


def test_decoding_follows_the_formula():
    anchors = torch.tensor([[0.5, 0.25, 0.2, 0.1]])
    deltas = torch.tensor([[[1.0, -2.0, 0.5, 0.0]]])
    x, y = 0.5 + 1 * 0.1 * 0.2, 0.25 - 2 * 0.1 * 0.1
    w, h = 0.2 * 2.718281828**0.1, 0.1

    box = decode(deltas, anchors)

    expected = torch.tensor([[[x - w / 2, y - h / 2, x + w / 2, y + h / 2]]])
    torch.testing.assert_close(box, expected)


def test_boxes_are_not_clipped():
    box = decode(torch.tensor([[50.0, 0, 5, 5]]), torch.tensor([[0.9, 0.5, 0.4, 0.4]]))
    assert box[0, 2] > 2


@settings(deadline=None)
@given(BOXES)
def test_encoding_is_the_inverse_of_decoding(boxes: torch.Tensor):
    boxes = boxes[(boxes[:, 2:] - boxes[:, :2]).amin(1) > 1e-2]
    anchors = torch.tensor([0.4, 0.6, 0.3, 0.5]).expand(len(boxes), 4)
    torch.testing.assert_close(decode(encode(boxes, anchors), anchors), boxes, atol=1e-4, rtol=1e-4)


def test_distances_are_measured_from_the_cells_centre_in_its_sides():
    cells = torch.tensor([[0.5, 0.25, 0.1, 0.2]])
    distances = torch.tensor([[[1.0, 0.5, 2.0, 3.0]]])

    boxes = decode_distances(distances, cells)

    torch.testing.assert_close(boxes, torch.tensor([[[0.4, 0.15, 0.7, 0.85]]]))


@settings(deadline=None)
@given(BOXES)
def test_distances_to_the_sides_of_any_box_lead_back_to_it(boxes: torch.Tensor):
    cells = torch.tensor([0.4, 0.6, 0.3, 0.5]).expand(len(boxes), 4)
    torch.testing.assert_close(
        decode_distances(encode_distances(boxes, cells), cells), boxes, atol=1e-5, rtol=1e-5
    )


@settings(deadline=None)
@given(BOXES, BOXES)
def test_overlaps_are_those_of_plain_arithmetic(a: torch.Tensor, b: torch.Tensor):
    shared, iou = intersections(a, b), pairwise_iou(a, b)
    for i, p in enumerate(a.tolist()):
        for j, q in enumerate(b.tolist()):
            width = max(0, min(p[2], q[2]) - max(p[0], q[0]))
            height = max(0, min(p[3], q[3]) - max(p[1], q[1]))
            union = (p[2] - p[0]) * (p[3] - p[1]) + (q[2] - q[0]) * (q[3] - q[1]) - width * height
            assert abs(float(shared[i, j]) - width * height) < 1e-5
            if union > 1e-3:
                assert abs(float(iou[i, j]) - width * height / union) < 1e-3


def test_boxes_without_area_overlap_nothing_and_yield_no_nan():
    point = torch.tensor([[0.5, 0.5, 0.5, 0.5]])
    assert pairwise_iou(point, point).tolist() == [[0]]
    assert areas(point).tolist() == [0]


def test_overlaps_take_leading_dimensions():
    a, b = torch.rand(2, 3, 5, 4), torch.rand(2, 3, 7, 4)
    together = pairwise_iou(a, b)
    assert together.shape == (2, 3, 5, 7)
    torch.testing.assert_close(together[1, 2], pairwise_iou(a[1, 2], b[1, 2]))
