"""Frames that keep their aspect ratio: resized as a whole, padded with the mean colour."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from model.input_shape import input_shape
from model.preprocessing import preprocess
from tests.small_networks import FREE

PLAIN = dataclasses.replace(FREE, pixel_mean=(0.0, 0.0, 0.0), pixel_std=(1.0, 1.0, 1.0))
SIZES = [(90, 160), (160, 90), (37, 300), (300, 11), (128, 128), (20, 24), (1, 500), (500, 1), (1, 1)]


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("size", SIZES)
def test_a_frame_lies_in_the_top_left_corner_and_the_rest_is_exactly_the_mean_colour(size: tuple[int, int]):
    shape = input_shape(FREE, size)
    rows, columns = shape.content

    image = preprocess(torch.from_numpy(noise(*size))[None], FREE)[0]

    assert image.shape == (3, *shape.padded)
    assert image.dtype == torch.float32
    assert not image[:, rows:].any()
    assert not image[:, :, columns:].any()
    assert bool(image[:, :rows, :columns].any(dim=0).all())


@pytest.mark.parametrize("size", SIZES)
def test_the_content_is_the_whole_frame_resized_with_antialiasing_and_turned_to_rgb(size: tuple[int, int]):
    frame, (rows, columns) = noise(*size), input_shape(FREE, size).content

    image = preprocess(torch.from_numpy(frame)[None], PLAIN)[0, :, :rows, :columns]

    # Pillow's bilinear filter is wide enough to see every pixel; it rounds
    expected = Image.fromarray(frame[..., ::-1]).resize((columns, rows), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(image.permute(1, 2, 0).numpy(), np.asarray(expected), atol=1.5)


def test_stripes_that_are_too_fine_for_the_input_become_grey_and_no_other_stripes():
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255

    image = preprocess(torch.from_numpy(stripes)[None], PLAIN)[0, :, :, 2:-2]

    np.testing.assert_allclose(image.numpy(), 127.5, atol=2)


def test_a_circle_stays_a_circle():
    frame = np.zeros((180, 320, 3), np.uint8)
    cv2.circle(frame, (160, 90), 60, (255, 255, 255), -1)

    image = preprocess(torch.from_numpy(frame)[None], PLAIN)[0, 0]

    rows, columns = (image > 127).nonzero().unbind(1)
    height, width = int(rows.max() - rows.min()), int(columns.max() - columns.min())
    assert abs(height - width) <= 1
    assert height == pytest.approx(120 * 128 / 320, abs=2)
