"""Tints and outlines against slow and obvious ways to make them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.detections import MaskCrop
from pipeline.overlay.masks import fill, outline
from pipeline.overlay.palette import COLOUR_BLIND_SAFE

SIZE = (30, 44)
SEEDS = st.integers(0, 2**32 - 1)


def picture(random: np.random.Generator) -> np.ndarray:
    return random.integers(0, 256, (*SIZE, 3), np.uint8)


def blob(random: np.random.Generator) -> MaskCrop:
    """A crop anywhere in the picture, of any size down to nothing, with a mask that is mostly whole."""
    y1, y2 = np.sort(random.integers(0, SIZE[0] + 1, 2))
    x1, x2 = np.sort(random.integers(0, SIZE[1] + 1, 2))
    pixels = random.random((y2 - y1, x2 - x1)) < random.choice([0.5, 0.95, 1.0])
    return MaskCrop(int(x1), int(y1), pixels)


def blended(frame: np.ndarray, crops: list[MaskCrop], alpha: float) -> np.ndarray:
    """All masks from the worst to the best, each made of the clean frame."""
    canvas = frame.copy()
    for crop, colour in reversed(list(zip(crops, COLOUR_BLIND_SAFE, strict=False))):
        tint = np.rint(frame * (1 - alpha) + np.array(colour) * alpha).astype(np.uint8)
        mask = crop.paste(*SIZE)
        canvas[mask] = tint[mask]
    return canvas


def rim(mask: np.ndarray, width: int) -> np.ndarray:
    """Pixels of the mask from which `width` steps lead outside; beyond the edge is outside.

    Every first step goes to one of four neighbours, every second one to one of eight.
    """
    inner = mask.copy()
    for turn in range(width):
        padded = np.pad(inner, 1)
        steps = [(0, 1), (2, 1), (1, 0), (1, 2)] + [(0, 0), (0, 2), (2, 0), (2, 2)] * (turn % 2)
        for y, x in steps:
            inner = inner & padded[y : y + SIZE[0], x : x + SIZE[1]]
    return mask & ~inner


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, alpha=st.sampled_from([0.0, 0.25, 0.45, 0.5, 1.0]))
def test_drawn_in_place_overlapping_masks_look_as_if_each_was_made_of_the_clean_frame(
    seed: int, alpha: float
) -> None:
    random = np.random.default_rng(seed)
    frame, crops = picture(random), [blob(random) for _ in range(4)]
    canvas = frame.copy()

    fill(canvas, crops, COLOUR_BLIND_SAFE[:4], alpha)

    expected = blended(frame, crops, alpha)
    assert np.abs(canvas.astype(int) - expected).max() <= 1  # halves may be rounded either way
    assert (canvas != expected).mean() < 0.01


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, width=st.integers(1, 6))
def test_an_outline_is_the_rim_of_the_mask_and_nothing_else(seed: int, width: int) -> None:
    random = np.random.default_rng(seed)
    frame, crop = picture(random), blob(random)
    canvas = frame.copy()

    outline(canvas, crop, (1, 2, 3), width)

    painted = rim(crop.paste(*SIZE), width)
    assert (canvas[painted] == (1, 2, 3)).all()
    assert np.array_equal(canvas[~painted], frame[~painted])


@pytest.mark.parametrize("width", [1, 2, 3, 6])
def test_an_outline_is_about_as_wide_along_a_slope_as_along_a_straight_edge(width: int) -> None:
    y, x = np.mgrid[:400, :400]
    disc = MaskCrop(0, 0, (y - 200) ** 2 + (x - 200) ** 2 < 180**2)
    canvas = np.zeros((400, 400, 3), np.uint8)

    outline(canvas, disc, (255, 255, 255), width)

    area = int((canvas[..., 0] > 0).sum())
    assert area / (2 * np.pi * 180) == pytest.approx(width, rel=0.25)


def test_crops_that_are_views_of_other_arrays_are_read_rightly() -> None:
    pixels = np.random.default_rng(1).random((20, 30)) < 0.7
    view, copy = MaskCrop(3, 4, pixels[::-1, ::2]), MaskCrop(3, 4, pixels[::-1, ::2].copy())
    canvases = [np.full((*SIZE, 3), 90, np.uint8) for _ in range(2)]
    for canvas, crop in zip(canvases, (view, copy), strict=True):
        fill(canvas, [crop], [(9, 9, 200)], 0.5)
        outline(canvas, crop, (9, 9, 200), 1)
    assert np.array_equal(*canvases)
