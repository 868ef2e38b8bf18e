"""Frames as the network wants them: arrays against tensors."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from model.host.preparing import prepare
from model.preprocessing import preprocess
from tests.small_networks import COMPACT, FREE

SIZES = [(432, 768), (90, 120), (120, 90), (33, 517), (1, 1), (700, 3), (128, 128)]


def frame(height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(height + width)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", SIZES)
def test_letterboxed_frames_are_those_of_tensors_to_within_the_rounding_of_bytes(size: tuple[int, int]):
    pixels = frame(*size)
    expected = preprocess(torch.from_numpy(pixels)[None], FREE).numpy()
    prepared = prepare([pixels], FREE)
    assert prepared.dtype == np.float32
    assert prepared.shape == expected.shape
    # a level either way, for each of the two directions is rounded
    assert np.abs(prepared - expected).max() <= 1.1 / min(FREE.pixel_std)


@pytest.mark.parametrize("size", SIZES)
def test_stretched_frames_are_those_of_tensors(size: tuple[int, int]):
    pixels = frame(*size)
    config = dataclasses.replace(COMPACT, image_size=96)
    expected = preprocess(torch.from_numpy(pixels)[None], config).numpy()
    np.testing.assert_allclose(prepare([pixels], config), expected, atol=2e-4)


def test_the_padding_is_the_mean_colour():
    prepared = prepare([frame(90, 200)], FREE)
    assert prepared.shape == (1, 3, 64, 128)
    assert (prepared[:, :, 56:] == 0).all()
    assert (prepared[:, :, 55] != 0).any()


def test_a_batch_is_its_frames():
    frames = [frame(90, 120), frame(90, 120)[::-1]]
    both = prepare(frames, FREE)
    for one, pixels in zip(both, frames, strict=True):
        np.testing.assert_array_equal(one[None], prepare([pixels], FREE))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_what_is_no_frame_is_refused(wrong: np.ndarray):
    with pytest.raises(ValueError, match="expected a frame"):
        prepare([wrong], COMPACT)
