"""From frames to the network's input."""

import dataclasses

import numpy as np
import pytest
import torch

from model.config import preset
from model.preprocessing import normalise, preprocess
from tests.small_networks import SMALL

PLAIN = dataclasses.replace(SMALL, pixel_mean=(0.0, 0.0, 0.0), pixel_std=(1.0, 1.0, 1.0))


def slow_resize(image: np.ndarray, side: int) -> np.ndarray:
    """Bilinear with half-pixel centres, no antialiasing, each output pixel by itself."""
    height, width = image.shape[:2]
    out = np.zeros((side, side, 3))
    for v in range(side):
        for u in range(side):
            y = min(max((v + 0.5) * height / side - 0.5, 0), height - 1)
            x = min(max((u + 0.5) * width / side - 0.5, 0), width - 1)
            top, left = int(y), int(x)
            bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
            a, b = y - top, x - left
            upper = (1 - b) * image[top, left] + b * image[top, right]
            lower = (1 - b) * image[bottom, left] + b * image[bottom, right]
            out[v, u] = (1 - a) * upper + a * lower
    return out


@pytest.mark.parametrize(("height", "width"), [(64, 64), (1, 1), (37, 101), (200, 30)])
def test_frames_of_any_size_are_stretched_to_the_square_input_and_turned_to_rgb(height: int, width: int):
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)

    images = preprocess(torch.from_numpy(frame)[None], PLAIN)

    expected = slow_resize(frame[..., ::-1].astype(float), 64).transpose(2, 0, 1)
    assert images.shape == (1, 3, 64, 64)
    assert images.dtype == torch.float32
    np.testing.assert_allclose(images[0].numpy(), expected, atol=1e-3)


def test_mean_and_deviation_are_taken_in_rgb_order():
    blue = torch.tensor([255, 0, 0], dtype=torch.uint8).expand(1, 4, 4, 3)

    pixel = preprocess(blue, preset("yolact_base"))[0, :, 0, 0]

    torch.testing.assert_close(
        pixel, torch.tensor([-123.68 / 58.40, -116.78 / 57.12, (255 - 103.94) / 57.38])
    )


def test_darknet_divides_by_255_only():
    white = torch.full((1, 4, 4, 3), 255, dtype=torch.uint8)
    images = preprocess(white, preset("yolact_darknet53"))
    torch.testing.assert_close(images, torch.ones(1, 3, 550, 550))


def test_normalising_takes_any_type():
    images = torch.randint(0, 256, (1, 3, 4, 4), dtype=torch.uint8)
    assert torch.equal(normalise(images, SMALL), normalise(images.float(), SMALL))


@pytest.mark.parametrize(
    "frames",
    [
        torch.zeros(4, 4, 3, dtype=torch.uint8),
        torch.zeros(1, 4, 4, 4, dtype=torch.uint8),
        torch.zeros(1, 3, 4, 4, dtype=torch.uint8),
        torch.zeros(1, 4, 4, 3),
        torch.zeros(1, 0, 4, 3, dtype=torch.uint8),
    ],
    ids=lambda frames: f"{list(frames.shape)} {frames.dtype}",
)
def test_what_is_no_batch_of_bgr_frames_is_refused_with_what_was_got(frames: torch.Tensor):
    with pytest.raises(ValueError, match=rf"got \[{frames.shape[0]}, .*\] {str(frames.dtype)[6:]}"):
        preprocess(frames, SMALL)
