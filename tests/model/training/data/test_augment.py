"""Which part of an image a sample shows, and how its colours change."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.errors import ConfigError
from model.training.data.annotations import ImageRecord, Instance
from model.training.data.augment import (
    AUGMENTATIONS,
    VIEW_SAMPLERS,
    AugmentConfig,
    augmentation,
    jitter_view,
    ssd_view,
    whole_view,
)
from model.training.data.photometric import distort_colours

SSD, COMPACT = AUGMENTATIONS["ssd"], AUGMENTATIONS["compact"]


def record(*boxes: tuple[float, float, float, float], crowd: tuple[bool, ...] = ()) -> ImageRecord:
    crowds = crowd or (False,) * len(boxes)
    instances = tuple(Instance(box, 0, crowd=c) for box, c in zip(boxes, crowds, strict=True))
    return ImageRecord(Path("a.png"), 400, 300, instances)


def generators(count: int) -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in range(count)]


@pytest.mark.parametrize("name", list(AUGMENTATIONS))
def test_every_augmentation_is_there_by_name_and_repeats_itself(name: str):
    config = augmentation(name)
    image = record((10, 10, 200, 200), (300, 200, 390, 290))

    views = [VIEW_SAMPLERS[config.kind](image, config, np.random.default_rng(5)) for _ in range(2)]

    assert views[0].window == views[1].window
    assert (views[0].kept == views[1].kept).all()


def test_an_unknown_augmentation_is_refused_with_the_names_there_are():
    with pytest.raises(ConfigError, match=r"'sdd'; there are none, ssd, compact"):
        augmentation("sdd")


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "other"},
        {"mirror_probability": 1.5},
        {"paste_probability": -0.1},
        {"scale": (2.0, 1.0)},
        {"scale": (0.0, 1.0)},
        {"aspect": 0.5},
        {"max_pasted": 0},
    ],
)
def test_numbers_that_make_no_sense_are_refused(changes: dict[str, object]):
    with pytest.raises(ConfigError, match=f"augmentation: .*{next(iter(changes))}"):
        replace(AugmentConfig(), **changes)


def test_without_augmentation_all_of_the_image_is_shown():
    view = whole_view(record((1, 1, 9, 9)), AugmentConfig(), np.random.default_rng(0))

    assert view.window == replace(view.window, x=0, y=0, width=400, height=300, mirror=False)
    assert view.kept.all()


def test_ssd_keeps_what_has_its_centre_in_the_crop_and_at_least_one_object():
    boxes = [(10.0, 10.0, 60.0, 60.0), (200.0, 100.0, 300.0, 250.0), (350.0, 5.0, 399.0, 40.0)]
    image = record(*boxes)

    for rng in generators(300):
        view = ssd_view(image, SSD, rng)
        window = view.window
        inside = [
            window.x < (x1 + x2) / 2 < window.x + window.width
            and window.y < (y1 + y2) / 2 < window.y + window.height
            for x1, y1, x2, y2 in boxes
        ]
        assert view.kept.tolist() == inside
        assert any(inside)


def test_ssd_crops_by_the_published_sides_and_aspects():
    config = replace(SSD, expand_probability=0.0)
    image = record((0, 0, 400, 300))

    windows = [ssd_view(image, config, rng).window for rng in generators(400)]
    crops = [w for w in windows if (w.width, w.height) != (400, 300)]

    assert len(crops) / len(windows) == pytest.approx(5 / 6, abs=0.06)
    for w in crops:
        assert 0.29 <= w.width / 400 <= 1
        assert 0.29 <= w.height / 300 <= 1
        assert 0.49 <= w.height / w.width <= 2.02
        assert w.x >= 0
        assert w.y >= 0
        assert w.x + w.width <= 400
        assert w.y + w.height <= 300


def test_ssd_expands_half_the_images_up_to_four_times():
    image = record((0, 0, 400, 300), crowd=(True,))  # of a crowd alone nothing is cropped

    windows = [ssd_view(image, SSD, rng).window for rng in generators(400)]
    ratios = [w.width / 400 for w in windows if w.width > 400]

    assert len(ratios) / len(windows) == pytest.approx(0.5, abs=0.08)
    assert 3.8 < max(ratios) <= 4
    for w in windows:  # the image lies on the canvas as a whole
        assert w.x <= 0
        assert w.y <= 0
        assert w.x + w.width >= 400
        assert w.y + w.height >= 300


def test_a_crowd_alone_does_not_make_a_crop_worth_taking():
    image = record((0, 0, 20, 20), (100, 0, 400, 300), crowd=(False, True))

    assert all(ssd_view(image, SSD, rng).kept[0] for rng in generators(100))


@pytest.mark.parametrize("kind", ["ssd", "jitter"])
def test_images_without_objects_get_a_view_too(kind: str):
    for rng in generators(20):
        assert len(VIEW_SAMPLERS[kind](record(), replace(COMPACT, kind=kind), rng).kept) == 0


def test_jitter_scales_within_its_range_and_mirrors_half_the_time():
    config = replace(COMPACT, scale=(0.5, 2.0), aspect=1.0)

    windows = [jitter_view(record(), config, rng).window for rng in generators(300)]
    factors = np.array([400 / w.width for w in windows])

    assert factors.min() == pytest.approx(0.5, abs=0.05)
    assert factors.max() == pytest.approx(2.0, abs=0.05)
    assert np.mean([w.mirror for w in windows]) == pytest.approx(0.5, abs=0.1)
    for w in windows:  # whichever is smaller lies within the other
        low, high = sorted((400 - w.width, 0))
        assert low <= w.x <= high
        assert w.height == pytest.approx(w.width * 0.75, abs=1)


def test_jitter_keeps_an_object_in_sight():
    image = record((380, 280, 399, 299))

    assert all(jitter_view(image, COMPACT, rng).kept.any() for rng in generators(100))


def test_jitter_drops_a_sliver_unless_it_fills_much_of_the_picture():
    image = record((0, 0, 400, 300), (0, 0, 20, 20))
    config = replace(COMPACT, scale=(2.0, 2.0), large_enough=0.2)

    for rng in generators(60):
        view = jitter_view(image, config, rng)
        assert view.kept[0]  # a quarter of it is left
        w = view.window
        left = max(0, 20 - w.x) * max(0, 20 - w.y) / 400
        assert view.kept[1] == (left >= config.min_visible)


def test_jitter_keeps_whatever_is_left_of_a_crowd():
    image = record((0, 0, 20, 20), (300, 200, 320, 220), crowd=(True, False))
    config = replace(COMPACT, scale=(1.05, 1.05), aspect=1.0)

    views = [jitter_view(image, config, rng) for rng in generators(60)]

    partly = [v for v in views if 17 < max(v.window.x, v.window.y) < 20]
    assert partly
    assert all(v.kept[0] for v in partly)


def picture(red: int, green: int, blue: int) -> torch.Tensor:
    return torch.tensor([red, green, blue], dtype=torch.uint8)[:, None, None].expand(3, 4, 4).contiguous()


def only(**changes: object) -> AugmentConfig:
    """Colour changes that always happen, all of them void but `changes`."""
    still = AugmentConfig(
        colour_probability=1.0, brightness=0.0, contrast=(1.0, 1.0), saturation=(1.0, 1.0), hue=0.0
    )
    return replace(still, **changes)


def test_colours_stay_where_nothing_is_to_change():
    image = picture(10, 200, 90)

    assert distort_colours(image, AugmentConfig(), np.random.default_rng(0)) is image
    assert (distort_colours(image, only(), np.random.default_rng(0)).int() - image).abs().max() <= 1


def test_brightness_adds_the_same_to_all_channels_within_its_bounds():
    image = picture(100, 120, 140)

    shifts = {
        tuple((distort_colours(image, only(brightness=32.0), rng).int() - image)[:, 0, 0].tolist())
        for rng in generators(100)
    }

    assert all(len(set(shift)) == 1 for shift in shifts)
    flat = [shift[0] for shift in shifts]
    assert -32 <= min(flat) < -25
    assert 25 < max(flat) <= 32


def test_contrast_multiplies():
    changed = distort_colours(picture(100, 50, 20), only(contrast=(1.5, 1.5)), np.random.default_rng(0))

    assert changed[:, 0, 0].tolist() == [150, 75, 30]


def test_saturation_leaves_value_and_hue_alone():
    # of S = 0.5 at V = 200 the half: the lowest channel rises from 100 to 150
    changed = distort_colours(picture(200, 150, 100), only(saturation=(0.5, 0.5)), np.random.default_rng(0))

    assert changed[:, 0, 0].tolist() == [200, 175, 150]


def test_hue_turns_and_leaves_grey_alone():
    turned = [distort_colours(picture(255, 0, 0), only(hue=18.0), rng)[:, 0, 0] for rng in generators(60)]
    grey = distort_colours(picture(90, 90, 90), only(hue=18.0), np.random.default_rng(0))

    # 18 degrees of 60 towards yellow or magenta
    assert 60 < max(int(colour[1]) for colour in turned) <= 77
    assert 60 < max(int(colour[2]) for colour in turned) <= 77
    assert all(int(colour[0]) == 255 for colour in turned)
    assert grey.unique().tolist() == [90]


def test_colours_never_wrap_around():
    bright = distort_colours(picture(250, 5, 128), only(contrast=(1.5, 1.5)), np.random.default_rng(0))

    assert bright[:, 0, 0].tolist()[0] == 255
