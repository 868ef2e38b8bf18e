"""Colours that stay apart for every kind of colour vision, and text that can be read on them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pipeline.overlay.palette import BLACK, COLOUR_BLIND_SAFE, WHITE, contrast, text_colour

# What full dichromats see, in linear RGB: Machado, Oliveira and Fernandes, "A Physiologically-based Model
# for Simulation of Color Vision Deficiency", 2009, table 1, severity 1.0.
VISIONS = {
    "normal": np.eye(3),
    "protanope": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranope": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanope": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
XYZ_OF_RGB = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def seen_as_lab(bgr: tuple[int, int, int], vision: str) -> np.ndarray:
    """CIE L*a*b* of an sRGB colour as it appears to that vision."""
    srgb = np.array(bgr[::-1]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    xyz = XYZ_OF_RGB @ np.clip(VISIONS[vision] @ linear, 0, 1) / [0.9505, 1.0, 1.089]
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def least_difference(colours: tuple[tuple[int, int, int], ...], vision: str) -> float:
    seen = [seen_as_lab(colour, vision) for colour in colours]
    return min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(seen, 2))


@pytest.mark.parametrize("vision", VISIONS)
def test_any_two_colours_differ_clearly_for_every_kind_of_colour_vision(vision: str) -> None:
    assert least_difference(COLOUR_BLIND_SAFE, vision) > 15


@pytest.mark.parametrize("vision", VISIONS)
def test_the_first_colours_differ_more_than_the_whole_palette_does(vision: str) -> None:
    assert least_difference(COLOUR_BLIND_SAFE[:4], vision) > 24


def test_a_red_and_a_green_of_equal_lightness_would_fail_this_very_measure() -> None:
    assert least_difference(((40, 60, 200), (40, 115, 90)), "deuteranope") < 15


@pytest.mark.parametrize("colour", COLOUR_BLIND_SAFE)
def test_text_on_each_colour_reaches_the_contrast_that_wcag_asks_for(colour: tuple[int, int, int]) -> None:
    assert contrast(colour, text_colour(colour)) >= 4.5


def test_contrast_is_21_between_black_and_white_and_1_between_equals() -> None:
    assert contrast(BLACK, WHITE) == pytest.approx(21)
    assert contrast(WHITE, BLACK) == pytest.approx(21)
    assert contrast(WHITE, WHITE) == pytest.approx(1)
