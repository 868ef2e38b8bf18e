"""NanoDet's neck: what resizes by two in it is PyTorch's bilinear resizing."""

import torch
import torch.nn.functional as F
from torch import Tensor

from model.network.pan import ResizingPan, upsample


def resized(x: Tensor, like: Tensor) -> Tensor:
    """Bilinear with half-pixel centres, no antialiasing: as published."""
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False, antialias=False)


def test_both_paths_are_bilinear_resizing_and_addition():
    torch.manual_seed(0)
    pan = ResizingPan((4, 6, 8), channels=5)
    maps = (torch.randn(2, 4, 12, 20), torch.randn(2, 6, 6, 10), torch.randn(2, 8, 3, 5))

    with torch.inference_mode():
        levels = pan(*maps)
        p3, p4, p5 = (layer(x) for layer, x in zip(pan.lateral, maps, strict=True))
        p4 = p4 + resized(p5, p4)
        p3 = p3 + resized(p4, p3)
        p4 = p4 + resized(p3, p4)
        p5 = p5 + resized(p4, p5)

    for level, expected in zip(levels, (p3, p4, p5), strict=True):
        torch.testing.assert_close(level, expected)


def test_a_level_of_one_pixel_is_doubled_to_four_that_equal_it():
    assert torch.equal(upsample(torch.full((1, 1, 1, 1), 3.0)), torch.full((1, 1, 2, 2), 3.0))
