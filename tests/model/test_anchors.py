"""Anchors: how many, where, of which shape, and in which order."""

import pytest
import torch

from model.anchors import grid_sides, make_anchors
from model.config import PRESETS, AnchorConfig

COUNTS = {
    "yolact_base": 19_248,
    "yolact_im400": 3 * (50**2 + 25**2 + 13**2 + 7**2 + 4**2),
    "yolact_im700": 3 * (88**2 + 44**2 + 22**2 + 11**2 + 6**2),
    "yolact_resnet50": 19_248,
    "yolact_darknet53": 19_248,
    "yolact_resnet50_pascal": 19_248,
    "yolact_plus_base": 57_744,
    "yolact_plus_resnet50": 57_744,
    "livemask_s": 3 * (52**2 + 26**2 + 13**2 + 7**2 + 4**2),
    "livemask_n": 3 * (52**2 + 26**2 + 13**2 + 7**2 + 4**2),
}


def test_the_levels_at_550_pixels_are_those_of_the_paper():
    assert grid_sides(550) == (69, 35, 18, 9, 5)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_its_number_of_anchors_all_centred_inside_the_image(name: str):
    config = PRESETS[name]

    anchors = make_anchors(config.anchors, config.image_size)

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
    config = PRESETS["livemask_n"].anchors

    sizes = {tuple(row) for row in make_anchors(config, 416)[:, 2:].tolist()}

    assert {tuple(row) for row in make_anchors(config, 96)[:, 2:].tolist()} == sizes
