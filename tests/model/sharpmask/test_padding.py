"""Symmetric padding, and convolutions that use it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from model.sharpmask.padding import SymmetricConv2d, symmetric_pad


@pytest.mark.parametrize("width", [1, 2, 3])
def test_the_edge_itself_is_repeated_as_numpy_does_it(width: int):
    x = torch.arange(24.0).view(1, 1, 4, 6)

    padded = symmetric_pad(x, width)

    expected = np.pad(x[0, 0].numpy(), width, mode="symmetric")
    assert padded[0, 0].numpy().tolist() == expected.tolist()


def test_no_gradient_passes_through_padded_pixels():
    x = torch.rand(1, 1, 3, 3, requires_grad=True)

    symmetric_pad(x, 1).sum().backward()

    assert x.grad is not None
    assert x.grad.tolist() == torch.ones(1, 1, 3, 3).tolist()


def test_a_convolution_keeps_the_size_and_a_stride_rounds_up():
    x = torch.rand(1, 2, 5, 7)

    assert SymmetricConv2d(2, 3)(x).shape == (1, 3, 5, 7)
    assert SymmetricConv2d(2, 3, 7, stride=2)(x).shape == (1, 3, 3, 4)


def test_of_a_flat_picture_a_convolution_makes_a_flat_one():
    out = SymmetricConv2d(1, 1)(torch.full((1, 1, 6, 6), 0.7)).detach()

    assert float(out.max() - out.min()) < 1e-6
