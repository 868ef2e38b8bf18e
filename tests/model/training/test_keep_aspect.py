"""Training pictures of networks that keep the aspect ratio: as inference sees them, never stretched."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from model.input_shape import input_shape
from model.preprocessing import normalise, preprocess
from model.training.data.annotations import ImageRecord, Instance
from model.training.data.augment import AUGMENTATIONS, AugmentConfig, View, jitter_view, whole_view
from model.training.data.scene import Scene, render
from tests.small_networks import FREE

SIDE = FREE.image_size  # 128
KEPT = AugmentConfig(keep_aspect=True)
JITTER = dataclasses.replace(
    KEPT, kind="jitter", scale=(0.5, 2.0), aspect=1.0, mirror_probability=0.5, min_object_side=0.0
)
RNG = np.random.default_rng


def record(height: int, width: int, *boxes: tuple[float, float, float, float]) -> ImageRecord:
    instances = tuple(
        Instance(box, 0, polygons=(np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]]),))
        for box in boxes
        for x1, y1, x2, y2 in (box,)
    )
    return ImageRecord(Path("a.png"), width, height, instances)


def shown(image: np.ndarray, of: ImageRecord, view: View, size: tuple[int, int] = (SIDE, SIDE)) -> Scene:
    """image: [H, W, 3] RGB."""
    return render(torch.from_numpy(image).permute(2, 0, 1), of, view, size, JITTER)


# their shorter side becomes a multiple of 4 without rounding
WHOLE = [(96, 128), (256, 160), (128, 128), (40, 64), (600, 800), (64, 512)]


@pytest.mark.parametrize(
    ("height", "width"), [(96, 128), (256, 160), (128, 128), (40, 64), (600, 800), (64, 512)]
)
def test_a_picture_that_shows_the_whole_image_is_what_inference_sees(height: int, width: int):
    image = RNG(0).integers(0, 256, (height, width, 3), np.uint8)
    of = record(height, width)

    picture = shown(image, of, whole_view(of, KEPT, RNG(0))).image

    # the network's input is padded to a multiple of 32, a training picture to the square
    shape = input_shape(FREE, (height, width))
    seen = preprocess(torch.from_numpy(image[..., ::-1].copy())[None], FREE)[0]
    taught = normalise(picture[None], FREE)[0]
    # a picture holds whole numbers, and the fill is the mean colour rounded
    one_step = 1.01 / min(FREE.pixel_std)
    torch.testing.assert_close(taught[:, : shape.padded[0], : shape.padded[1]], seen, atol=one_step, rtol=0)
    assert float(taught[:, shape.content[0] :].abs().amax() if shape.content[0] < SIDE else 0) < one_step
    assert float(taught[:, :, shape.content[1] :].abs().amax() if shape.content[1] < SIDE else 0) < one_step


@pytest.mark.parametrize(("height", "width"), [(90, 160), (160, 90)])
def test_a_mirrored_picture_keeps_its_padding_at_the_right_and_the_bottom(height: int, width: int):
    image = np.full((height, width, 3), 255, np.uint8)
    image[:, : width // 2] = 0
    of = record(height, width, (0, 0, width // 2, height))
    mirrored = dataclasses.replace(KEPT, mirror_probability=1.0)

    scene = shown(image, of, whole_view(of, mirrored, RNG(0)))

    columns, rows = round(width * SIDE / 160), round(height * SIDE / 160)
    picture = scene.image[0, :rows, :columns]
    assert int(picture[:, : columns // 2 - 1].min()) == 255
    assert int(picture[:, columns // 2 + 1 :].max()) == 0
    fill = torch.tensor(KEPT.fill)[:, None, None]
    assert bool((scene.image[:, rows:] == fill).all())
    assert bool((scene.image[:, :, columns:] == fill).all())
    torch.testing.assert_close(
        scene.boxes, torch.tensor([[columns / 2, 0.0, columns, rows]]), atol=1.0, rtol=0
    )


def test_without_it_the_whole_image_fills_the_square():
    of = record(90, 160)
    window = whole_view(of, AugmentConfig(), RNG(0)).window
    assert (window.x, window.y, window.width, window.height) == (0, 0, 160, 90)


@pytest.mark.parametrize("size", [(SIDE, SIDE), (50, 90), (90, 50)])
@pytest.mark.parametrize(("height", "width"), [(120, 320), (320, 120)])
def test_a_circle_and_its_mask_stay_as_wide_as_high_in_pictures_of_any_shape(
    height: int, width: int, size: tuple[int, int]
):
    image = np.zeros((height, width, 3), np.uint8)
    x, y = width // 2, height // 2
    cv2.circle(image, (x, y), 40, (255, 255, 255), -1)
    of = record(height, width, (x - 40, y - 40, x + 40, y + 40))

    looked_at = 0
    for seed in range(40):
        view = jitter_view(of, JITTER, RNG(seed), shape=size)
        ratio = (view.window.width / size[1]) / (view.window.height / size[0])
        assert ratio == pytest.approx(1.0, abs=0.02)
        scene = shown(image, of, view, size)
        x1, y1, x2, y2 = scene.boxes[0].tolist()
        if min(x1, y1) > 1 and x2 < size[1] - 1 and y2 < size[0] - 1:  # all of it is in sight
            looked_at += 1
            assert x2 - x1 == pytest.approx(y2 - y1, abs=1.5)
            columns, rows = scene.masks[0].any(0).sum(), scene.masks[0].any(1).sum()
            assert abs(int(columns) - int(rows)) <= 2
            white = scene.image[0] > 127
            assert abs(int(white.any(0).sum()) - int(white.any(1).sum())) <= 2
    assert looked_at > 5


@pytest.mark.parametrize("size", [(40, 100), (100, 40)])
def test_an_image_that_is_shown_whole_for_want_of_a_better_view_is_not_stretched(
    size: tuple[int, int],
):
    # no object can ever be in sight
    of = record(90, 160, (10, 10, 10, 10))
    window = jitter_view(of, JITTER, RNG(0), shape=size).window
    assert window.width / size[1] == pytest.approx(window.height / size[0], rel=0.02)
    assert window.width >= 160
    assert window.height >= 90


def test_the_aspect_is_varied_only_as_much_as_is_asked_for():
    of = record(120, 320, (100, 20, 200, 100))
    config = dataclasses.replace(JITTER, aspect=1.2)
    ratios = [
        view.window.width / view.window.height
        for view in (jitter_view(of, config, RNG(seed)) for seed in range(60))
    ]
    assert min(ratios) >= 1 / 1.2 - 0.02
    assert max(ratios) <= 1.2 + 0.02
    assert max(ratios) - min(ratios) > 0.2


def test_stripes_too_fine_for_the_picture_become_grey_as_at_inference():
    image = np.zeros((512, 512, 3), np.uint8)
    image[:, ::2] = 255
    of = record(512, 512)
    picture = shown(image, of, whole_view(of, KEPT, RNG(0))).image[:, :, 2:-2]
    assert int(picture.min()) >= 125
    assert int(picture.max()) <= 130


def test_the_augmentations_of_networks_that_keep_the_aspect_ratio_keep_it():
    assert {name for name, config in AUGMENTATIONS.items() if config.keep_aspect} >= {"crowded", "plain"}
