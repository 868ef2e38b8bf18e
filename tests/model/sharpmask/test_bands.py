"""Large pictures in bands: as one pass, but for rounding."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from model.sharpmask.bands import HALO, MOST_PIXELS, bands, dense_pass, window_rows
from model.sharpmask.config import SHARPMASK_PRESETS, SharpMaskConfig
from model.sharpmask.engines import torch_engines
from model.sharpmask.network import build_sharpmask
from tests.model.sharpmask.networks import TINY, tiny

LITE = SHARPMASK_PRESETS["sharpmask_lite"]


def test_a_picture_that_fits_is_one_band():
    (band,) = bands(LITE, 1240, 2080)
    assert (band.top, band.bottom, band.first, band.last) == (0, 1240, 0, window_rows(LITE, 1240))


@pytest.mark.parametrize("height", [3215, 3216, 3217, 4000])
def test_bands_give_every_row_of_windows_once_and_see_what_those_see(height: int):
    found = bands(LITE, height, 5590)
    rows = window_rows(LITE, height)
    assert len(found) > 1
    assert [n for band in found for n in range(band.first, band.last)] == list(range(rows))
    for band in found:
        assert band.top % LITE.stride == 0
        assert band.top == max(0, band.first * LITE.stride - HALO)
        last_window = (band.last - 1) * LITE.stride + LITE.window
        assert band.bottom == (height if band.last == rows else min(height, last_window + HALO))


@pytest.mark.parametrize(
    "config",
    [
        TINY,
        replace(TINY, refine_width=0),
        replace(SHARPMASK_PRESETS["w112_p3_d21_f128"], code=8, score_hidden=8),
    ],
    ids=["refines", "coarse", "ResNet-50"],
)
def test_bands_together_say_what_one_pass_says(config: SharpMaskConfig):
    network = tiny(config)
    engine = torch_engines(network).dense
    image = torch.randn(1, 3, 4 * (config.window + 2 * HALO) - 5, config.window + 17)

    whole = dense_pass(engine, config, image, most_pixels=image[0, 0].numel())
    parts = dense_pass(engine, config, image, most_pixels=1)

    assert len(bands(config, *image.shape[-2:], most_pixels=1)) > 1
    for one, other in zip([*whole[:2], *whole.skips], [*parts[:2], *parts.skips], strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["sharpmask_lite", "sharpmask_resnet50", "deepmask_vgg"])
def test_no_output_depends_on_what_lies_beyond_the_halo(name: str):
    config = replace(SHARPMASK_PRESETS[name], code=8, score_hidden=8)
    network = build_sharpmask(config).eval()
    for parameter in network.parameters():
        parameter.data.fill_(0.01)  # nothing cancels, nothing is cut off
    stride = config.stride
    image = torch.ones(1, 3, 2 * HALO + 12 * stride, stride, requires_grad=True)
    levels = network.trunk(image)
    outputs = [(levels[-1], stride)]
    if network.refinement is not None:
        outputs += [(skip, stride >> n) for n, skip in enumerate(network.refinement.skips(levels))]
    for output, cell in outputs:
        row = output.shape[-2] // 2
        (gradient,) = torch.autograd.grad(output[0, :, row].sum(), image, retain_graph=True)
        seen = gradient[0].abs().sum((0, 2)).nonzero().flatten()
        assert row * cell - int(seen.min()) <= HALO
        assert int(seen.max()) - (row + 1) * cell < HALO


def test_a_band_is_larger_than_its_halo():
    for width in (200, 5_000, 30_000):
        for band in bands(LITE, 30_000, width, MOST_PIXELS)[:-1]:
            assert (band.last - band.first) * LITE.stride >= LITE.window + 2 * HALO
