"""The dense pass of large pictures in bands of rows, so that memory stays bounded.

Bands overlap by what a window sees beyond itself, so the outputs are those of one pass but for rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from model.engines.base import Engine
from model.sharpmask.config import SharpMaskConfig
from model.sharpmask.network import DenseOutputs

# pixels that one pass takes at most
MOST_PIXELS = 3_000_000
# how far beyond its own cells an output depends on the picture, in pixels; ResNet-50's stage 3 and three
# convolutions behind it see furthest: 133 + 3 x 16
HALO = 208


@dataclass(frozen=True)
class Band:
    """Rows of a framed picture that are computed together.

    top, bottom: rows of pixels, the halo included
    first, last: rows of windows that it gives, `last` excluded
    """

    top: int
    bottom: int
    first: int
    last: int


def bands(
    config: SharpMaskConfig, height: int, width: int, most_pixels: int = MOST_PIXELS
) -> tuple[Band, ...]:
    """Return the bands of a framed picture of that size: one, where it has no more than `most_pixels`."""
    stride, rows = config.stride, window_rows(config, height)
    halo = -(-HALO // stride) * stride
    overlap = config.window + 2 * halo
    # a band whose halo is most of it would take long
    tall = max(3 * overlap, most_pixels // width)
    each = rows if height * width <= most_pixels else (tall - overlap) // stride
    found = []
    for first in range(0, rows, each):
        last = min(first + each, rows)
        bottom = height if last == rows else (last - 1) * stride + config.window + halo
        found.append(Band(max(0, first * stride - halo), min(bottom, height), first, last))
    return tuple(found)


def window_rows(config: SharpMaskConfig, height: int) -> int:
    """Return how many rows of windows a framed picture of that height has."""
    return -(-height // config.stride) - config.grid + 1


def dense_pass(
    engine: Engine[Tensor, DenseOutputs],
    config: SharpMaskConfig,
    image: Tensor,
    most_pixels: int = MOST_PIXELS,
) -> DenseOutputs:
    """Return the outputs for every window of a framed picture [1, 3, H, W], in memory of their own."""
    parts = [
        _rows_of(config, band, engine.start(image[:, :, band.top : band.bottom])())
        for band in bands(config, image.shape[-2], image.shape[-1], most_pixels)
    ]
    if len(parts) == 1:
        return parts[0]
    return DenseOutputs(
        torch.cat([part.score_logits for part in parts], -2),
        torch.cat([part.codes for part in parts], -2),
        tuple(torch.cat(skips, -2) for skips in zip(*(part.skips for part in parts), strict=True)),
    )


def _rows_of(config: SharpMaskConfig, band: Band, outputs: DenseOutputs) -> DenseOutputs:
    """Return the band's own part of what was computed for it with its halo, copied."""
    first = band.first - band.top // config.stride
    last = first + band.last - band.first
    rows = outputs.score_logits.shape[-2]
    skips = []
    for level, skip in enumerate(outputs.skips):
        # the last band's skips reach to the end of the picture: windows are larger than their stride
        end = skip.shape[-2] if last == rows else last << level
        skips.append(skip[..., first << level : end, :].clone())
    return DenseOutputs(
        outputs.score_logits[..., first:last, :].clone(),
        outputs.codes[..., first:last, :].clone(),
        tuple(skips),
    )
