"""Anchors: how many, where, of which shape, and in which order."""

import pytest
import torch

from model.anchors import grid_sides
from model.config import PRESETS, AnchorConfig
from model.input_shape import InputShape
from model.network.anchors import make_anchors, make_cells, starting_boxes, within_content
from tests.small_networks import COMPACT, FREE, SMALL

COUNTS = {
    "yolact_base": 19_248,
    "yolact_im400": 3 * (50**2 + 25**2 + 13**2 + 7**2 + 4**2),
    "yolact_im700": 3 * (88**2 + 44**2 + 22**2 + 11**2 + 6**2),
    "yolact_resnet50": 19_248,
    "yolact_darknet53": 19_248,
    "yolact_resnet50_pascal": 19_248,
    "yolact_plus_base": 57_744,
    "yolact_plus_resnet50": 57_744,
    "livemask_n": 40**2 + 20**2 + 10**2,
    "livemask_s": 52**2 + 26**2 + 13**2,
    "livemask_m": 64**2 + 32**2 + 16**2,
}


def square(side: int) -> InputShape:
    return InputShape((side, side), (side, side))


def test_the_levels_at_550_pixels_are_those_of_the_paper():
    assert grid_sides(550) == (69, 35, 18, 9, 5)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_its_number_of_anchors_or_cells_all_centred_inside_the_image(name: str):
    config = PRESETS[name]

    anchors = starting_boxes(config, square(config.image_size))

    assert anchors.shape == (COUNTS[name], 4)
    assert anchors.dtype == torch.float32
    assert bool((anchors[:, :2] > 0).all() and (anchors[:, :2] < 1).all())
    assert bool((anchors[:, 2:] > 0).all())


def test_rows_are_ordered_level_then_y_then_x_then_side_then_ratio():
    config = AnchorConfig(
        sides=((8, 16), (16, 32), (32, 64), (64, 128), (128, 256)), ratios=(1.0, 4.0), reference_size=64
    )
    expected = []
    for cells, sides in zip((8, 4, 2, 1, 1), config.sides, strict=True):
        for y in range(cells):
            for x in range(cells):
                for side in sides:
                    for ratio in config.ratios:
                        w, h = side * ratio**0.5 / 64, side / ratio**0.5 / 64
                        expected.append([(x + 0.5) / cells, (y + 0.5) / cells, w, h])

    torch.testing.assert_close(make_anchors(config, 64), torch.tensor(expected))


def test_the_released_coco_models_have_square_anchors_and_pascal_has_not():
    coco = make_anchors(PRESETS["yolact_base"].anchors, 550)[:3]
    pascal = make_anchors(PRESETS["yolact_resnet50_pascal"].anchors, 550)[:3]

    side = torch.tensor([24, 24 * 0.5**0.5, 24 * 2**0.5]) / 550
    torch.testing.assert_close(coco[:, 2], side)
    torch.testing.assert_close(coco[:, 3], side)
    torch.testing.assert_close(pascal[:, 2] / pascal[:, 3], torch.tensor([1, 0.5, 2]))
    torch.testing.assert_close(pascal[:, 2] * pascal[:, 3], torch.full((3,), (32 / 550) ** 2))


def test_the_sides_of_other_input_sizes_are_whole_pixels():
    assert [side for (side,) in PRESETS["yolact_im400"].anchors.sides] == [17, 34, 69, 139, 279]
    assert [side for (side,) in PRESETS["yolact_im700"].anchors.sides] == [30, 61, 122, 244, 488]


def test_anchors_keep_their_relative_size_at_another_input_size():
    config = COMPACT.anchors

    sizes = {tuple(row) for row in make_anchors(config, 416)[:, 2:].tolist()}

    assert {tuple(row) for row in make_anchors(config, 96)[:, 2:].tolist()} == sizes


@pytest.mark.parametrize(
    "shape",
    [
        InputShape((64, 64), (64, 64)),
        InputShape((72, 128), (96, 128)),  # wide
        InputShape((128, 72), (128, 96)),  # tall
        InputShape((4, 160), (32, 160)),  # nothing but padding below
    ],
)
def test_cells_are_ordered_level_then_y_then_x_and_measured_by_the_content(shape: InputShape):
    (height, width), (rows, columns) = shape.content, shape.padded
    expected = [
        [(x + 0.5) * stride / width, (y + 0.5) * stride / height, stride / width, stride / height]
        for stride in (8, 16, 32)
        for y in range(rows // stride)
        for x in range(columns // stride)
    ]

    cells = make_cells(shape)

    assert cells.dtype == torch.float32
    torch.testing.assert_close(cells, torch.tensor(expected))


def test_the_cells_of_the_padding_lie_beyond_the_content():
    cells = make_cells(InputShape((72, 128), (96, 128)))

    assert bool((cells[:, 0] < 1).all())
    outside = ~within_content(cells)
    # at 72 of 96 rows: 3 of 12, 1 of 6 (the row that is centred at 72 lies on the edge), 1 of 3
    assert int(outside.sum()) == 3 * 16 + 1 * 8 + 1 * 4


def test_a_network_starts_from_anchors_where_it_has_some_and_else_from_cells():
    shape = square(64)
    assert torch.equal(starting_boxes(SMALL, shape), make_anchors(SMALL.anchors, 64))
    assert torch.equal(starting_boxes(FREE, shape), make_cells(shape))
