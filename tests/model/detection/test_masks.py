"""Masks: assembly, cropping, and enlargement against the whole frame's slow way."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from model.detection.masks import assemble, crop, crop_bounds, in_place, inside
from model.detections import MaskCrop
from model.host.masks import PLACE_SCALE, cut
from model.host.masks import enlarge as enlarge_patch

Box = tuple[float, float, float, float]


def test_assembly_is_the_sigmoid_of_a_linear_combination():
    generator = torch.Generator().manual_seed(0)
    prototypes = torch.rand(2, 5, 7, 3, generator=generator)
    coefficients = torch.randn(2, 4, 3, generator=generator)

    masks = assemble(prototypes, coefficients)

    assert masks.shape == (2, 4, 5, 7)
    for b, n, y, x in [(0, 0, 0, 0), (1, 3, 4, 6), (0, 2, 3, 1)]:
        logit = sum(float(prototypes[b, y, x, k]) * float(coefficients[b, n, k]) for k in range(3))
        assert float(masks[b, n, y, x]) == pytest.approx(1 / (1 + 2.718281828**-logit), abs=1e-6)


def slow_bounds(box: Box, height: int, width: int) -> Box:
    x1, x2 = sorted((box[0], box[2]))
    y1, y2 = sorted((box[1], box[3]))
    return (
        min(max(x1 * width - 1, 0), width),
        min(max(y1 * height - 1, 0), height),
        min(max(x2 * width + 1, 0), width),
        min(max(y2 * height + 1, 0), height),
    )


def slow_crop(mask: Tensor, bounds: Box) -> Tensor:
    x1, y1, x2, y2 = bounds
    out = torch.zeros_like(mask)
    for y in range(mask.shape[0]):
        for x in range(mask.shape[1]):
            if x1 <= x < x2 and y1 <= y < y2:
                out[y, x] = mask[y, x]
    return out


# also beyond the image, without area, and with corners in the wrong order
EDGES = st.floats(-0.5, 1.5) | st.sampled_from([0.0, 0.25, 0.5, 1.0])
FAR = st.floats(-1e6, 1e6)
BOXES = st.tuples(EDGES, EDGES, EDGES, EDGES) | st.tuples(FAR, FAR, FAR, FAR)
SIDES = st.integers(1, 12)


@settings(deadline=None)
@given(BOXES, SIDES, SIDES)
def test_cropping_keeps_the_pixels_from_the_lower_bound_up_to_before_the_upper(
    box: Box, height: int, width: int
):
    boxes = torch.tensor(box, dtype=torch.float64)
    mask = torch.ones(height, width, dtype=torch.float64)

    bounds = crop_bounds(boxes, height, width)

    assert bounds.tolist() == pytest.approx(slow_bounds(box, height, width))
    assert torch.equal(crop(mask, boxes), slow_crop(mask, tuple(bounds.tolist())))


def test_a_pixel_of_padding_surrounds_the_box():
    kept = inside(crop_bounds(torch.tensor([0.25, 0.5, 0.5, 0.75]), 8, 8), 8, 8)
    rows, columns = kept.any(1).nonzero().squeeze(1), kept.any(0).nonzero().squeeze(1)
    # 2 to 4 padded is 1 to 5, without 5 itself
    assert columns.tolist() == [1, 2, 3, 4]
    assert rows.tolist() == [3, 4, 5, 6]


def enlarge(mask: Tensor, bounds: Box, height: int, width: int) -> MaskCrop:
    return enlarge_patch(cut(mask.numpy(), bounds), (mask.shape[0], mask.shape[1]), (height, width))


@st.composite
def masks_to_enlarge(draw: st.DrawFn) -> tuple[Tensor, Box, int, int]:
    """A cropped mask [Hp, Wp], its bounds, and a frame's height and width."""
    height, width = draw(SIDES), draw(SIDES)
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    mask = torch.rand(height, width, generator=generator)
    if draw(st.booleans()):
        mask = (mask * 1.4).round()  # areas of zeros and ones, as trained networks give
    bounds = crop_bounds(torch.tensor(draw(BOXES)), height, width)
    frame = st.integers(1, 70)
    return mask * inside(bounds, height, width), tuple(bounds.tolist()), draw(frame), draw(frame)


WHOLE: Box = (0, 0, 12, 12)


@settings(deadline=None, max_examples=300)
@given(masks_to_enlarge())
@example((torch.ones(12, 12), WHOLE, 1, 1))
@example((torch.ones(1, 1), (0, 0, 1, 1), 64, 3))
@example((torch.ones(12, 12), WHOLE, 12, 12))
def test_enlarging_a_crop_gives_the_pixels_of_enlarging_the_whole_mask(
    case: tuple[Tensor, Box, int, int],
):
    mask, bounds, height, width = case
    whole = F.interpolate(
        mask[None, None].double(), size=(height, width), mode="bilinear", align_corners=False
    )[0, 0]
    undecided = (whole - 0.5).abs() < 1e-5

    result = enlarge(mask, bounds, height, width)

    pasted = torch.from_numpy(result.paste(height, width))
    assert bool((undecided | (pasted == (whole > 0.5))).all())
    h, w = result.pixels.shape
    assert 0 <= result.x <= result.x + w <= width
    assert 0 <= result.y <= result.y + h <= height
    outside = torch.ones(height, width, dtype=torch.bool)
    outside[result.y : result.y + h, result.x : result.x + w] = False
    assert not bool((outside & (whole > 0.5 + 1e-5)).any())


def test_a_crop_holds_little_more_than_its_box():
    mask = torch.ones(138, 138)
    bounds = tuple(crop_bounds(torch.tensor([0.5, 0.25, 0.6, 0.3]), 138, 138).tolist())

    h, w = enlarge(mask, bounds, 1080, 1920).pixels.shape

    # the box, its padding, and up to two prototype pixels on either side
    assert w <= (0.1 * 138 + 2 + 4) * 1920 / 138
    assert h <= (0.05 * 138 + 2 + 4) * 1080 / 138


def test_a_box_beside_the_frame_gives_an_empty_mask():
    for box in ([-0.4, 0.2, -0.3, 0.4], [1.2, 0.2, 1.3, 0.4], [0.2, -9, 0.4, -8]):
        boxes = torch.tensor(box)
        mask = crop(torch.ones(10, 10), boxes)
        assert enlarge(mask, tuple(crop_bounds(boxes, 10, 10).tolist()), 40, 40).area == 0


def test_overlapping_masks_know_nothing_of_each_other():
    boxes = torch.tensor([[0.1, 0.1, 0.6, 0.6], [0.4, 0.4, 0.9, 0.9]])
    masks = crop(torch.ones(2, 20, 20), boxes)
    bounds = crop_bounds(boxes, 20, 20)

    both = [enlarge(masks[i], tuple(bounds[i].tolist()), 60, 60).paste(60, 60) for i in range(2)]

    assert (both[0] & both[1]).any()
    # 10 prototype pixels and 2 of padding, without the outermost pixel of each corner
    assert (both[0].sum(), both[1].sum()) == (36**2 - 4, 36**2 - 4)


def test_places_in_a_box_add_a_polynomial_to_the_sum_of_prototypes():
    torch.manual_seed(0)
    prototypes, coefficients = torch.rand(2, 6, 9, 3), torch.rand(2, 4, 9) * 2 - 1
    corner, sides = torch.rand(2, 4, 2) * 0.6, 0.1 + torch.rand(2, 4, 2) * 0.3
    boxes = torch.cat([corner, corner + sides], dim=-1)

    parts, weights = in_place(prototypes, coefficients, boxes)
    found = torch.einsum("bhwk,bnk->bnhw", parts, weights)

    for image in range(2):
        for n in range(4):
            x1, y1, x2, y2 = boxes[image, n].tolist()
            one, *terms = (PLACE_SCALE * value for value in coefficients[image, n, 3:].tolist())
            for row, column in ((0, 0), (3, 5), (5, 8)):
                u = (2 * (column + 0.5) / 9 - x1 - x2) / (x2 - x1)
                v = (2 * (row + 0.5) / 6 - y1 - y2) / (y2 - y1)
                place = one + sum(t * p for t, p in zip(terms, (u, v, u * u, v * v, u * v), strict=True))
                learned = float(prototypes[image, row, column] @ coefficients[image, n, :3])
                assert float(found[image, n, row, column]) == pytest.approx(learned + place, abs=0.02)


def test_coefficients_without_places_are_left_as_they_are():
    prototypes, coefficients = torch.rand(1, 2, 3, 4), torch.rand(1, 5, 4)
    same = in_place(prototypes, coefficients, torch.rand(1, 5, 4))
    assert same[0] is prototypes
    assert same[1] is coefficients


def test_a_box_without_extent_makes_no_sum_that_is_not_finite():
    boxes = torch.tensor([[[0.5, 0.5, 0.5, 0.5], [1.0, 1.0, 0.0, 0.0]]])
    parts, weights = in_place(torch.rand(1, 4, 4, 2), torch.ones(1, 2, 8), boxes)
    assert bool((parts.flatten(1, 2) @ weights.transpose(1, 2)).isfinite().all())
