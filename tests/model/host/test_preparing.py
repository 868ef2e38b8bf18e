"""Frames as the network wants them: arrays against tensors."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from model.config import YolactConfig
from model.host.preparing import prepare
from model.preprocessing import preprocess
from tests.small_networks import COMPACT, FREE

STRETCHED = dataclasses.replace(COMPACT, image_size=96)
SIZES = [(432, 768), (90, 120), (120, 90), (33, 517), (1, 1), (700, 3), (128, 128), (1080, 1920)]


def frame(height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(height + width)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("config", [FREE, STRETCHED], ids=["letterboxed", "stretched"])
def test_frames_are_those_of_tensors(config: YolactConfig, size: tuple[int, int]):
    pixels = frame(*size)
    expected = preprocess(torch.from_numpy(pixels)[None], config).numpy()
    prepared = prepare([pixels], config)
    assert prepared.dtype == np.float32
    np.testing.assert_allclose(prepared, expected, atol=3e-4)


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
