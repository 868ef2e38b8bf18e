"""Large pictures in tiles: as one pass, but for rounding."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from model.sharpmask.config import SHARPMASK_PRESETS, SharpMaskConfig
from model.sharpmask.engines import torch_engines
from model.sharpmask.network import build_sharpmask
from model.sharpmask.pyramid import FramedPicture
from model.sharpmask.tiles import HALO, MOST_PIXELS, dense_pass, tile_sides, tiles, window_count
from tests.model.sharpmask.networks import TINY, tiny

LITE = SHARPMASK_PRESETS["sharpmask_lite"]


def test_a_picture_that_fits_is_one_tile():
    (tile,) = tiles(LITE, 1100, 2080)
    assert tile.rows == (0, 1100, 0, window_count(LITE, 1100))
    assert tile.columns == (0, 2080, 0, window_count(LITE, 2080))


@pytest.mark.parametrize("most", [1200, 1500, 3000])
@pytest.mark.parametrize("side", [3215, 3216, 3217])
def test_spans_give_every_window_once_and_see_what_those_see(side: int, most: int):
    found = tile_sides(LITE, side, most)
    assert len(found) > 1
    assert [n for span in found for n in range(span.first, span.last)] == list(
        range(window_count(LITE, side))
    )
    for span in found:
        assert span.start % LITE.stride == 0
        assert span.start <= max(0, span.first * LITE.stride - HALO)
        last_window = (span.last - 1) * LITE.stride + LITE.window
        assert span.stop >= min(side, last_window + HALO)
        assert span.stop - span.start < most + LITE.stride


@pytest.mark.parametrize(("height", "width"), [(3215, 5590), (1687, 2875), (30_000, 400), (400, 30_000)])
def test_no_tile_is_too_large_and_the_overlap_costs_little(height: int, width: int):
    found = tiles(LITE, height, width)
    areas = [(t.rows.stop - t.rows.start) * (t.columns.stop - t.columns.start) for t in found]
    assert max(areas) <= 1.02 * MOST_PIXELS
    assert sum(areas) < 3 * height * width


@pytest.mark.parametrize(
    "config",
    [
        TINY,
        replace(TINY, refine_width=0),
        replace(TINY, pools=3),
    ],
    ids=["refines", "coarse", "three poolings"],
)
def test_tiles_together_say_what_one_pass_says(config: SharpMaskConfig):
    engine = torch_engines(tiny(config)).dense
    picture = FramedPicture(torch.randn(1, 3, 860, 730), 1.25, config.window // 2)

    whole = dense_pass(engine, config, picture, most_pixels=picture.height * picture.width)
    parts = dense_pass(engine, config, picture, most_pixels=1)

    assert len(tiles(config, picture.height, picture.width, 1)) == 4
    for one, other in zip([*whole[:2], *whole.skips], [*parts[:2], *parts.skips], strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


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


@pytest.mark.parametrize("scale", [0.37, 1.0, 2.3])
def test_a_part_of_a_framed_picture_is_that_part_of_the_whole(scale: float):
    picture = FramedPicture(torch.randn(1, 3, 31, 47), scale, margin=8)
    whole = picture.whole()
    assert whole.shape[-2:] == (picture.height, picture.width)
    for top, bottom, left, right in ((0, 5, 0, 5), (3, picture.height, 9, 20), (10, 17, 0, picture.width)):
        part = picture.part(top, bottom, left, right)
        torch.testing.assert_close(part, whole[..., top:bottom, left:right], atol=1e-5, rtol=1e-5)
