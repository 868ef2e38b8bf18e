"""The dense pass of large pictures in tiles, so that memory stays bounded.

Tiles overlap by what a window sees beyond itself, so the outputs are those of one pass but for rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch

from model.engines.base import Engine
from model.memory import give_back_memory
from model.sharpmask.config import SharpMaskConfig
from model.sharpmask.network import DenseOutputs
from model.sharpmask.pyramid import FramedPicture

# pixels that one pass takes: the network needs some 70 bytes for each in bf16
MOST_PIXELS = 2_400_000
# how far beyond its own cells an output depends on the picture, in pixels: a skip at stride 16 of the CSP
# trunk sees 199 px before itself, one of ResNet-50's 181
HALO = 208


class TileSide(NamedTuple):
    """One side of a tile.

    start, stop: pixels of the framed picture, the halo included
    first, last: rows or columns of windows that it gives, `last` excluded
    """

    start: int
    stop: int
    first: int
    last: int


@dataclass(frozen=True)
class PictureTile:
    """Windows that are computed together, and the pixels that it takes."""

    rows: TileSide
    columns: TileSide


def tiles(
    config: SharpMaskConfig, height: int, width: int, most_pixels: int = MOST_PIXELS
) -> tuple[PictureTile, ...]:
    """Return the tiles of a framed picture, row by row: one, where it has no more than `most_pixels`.

    Others have all about the same size, since an engine keeps memory for the shapes that it has met.
    """
    tall = wide = math.isqrt(most_pixels)
    if height * width <= most_pixels:
        tall, wide = height, width
    elif width < wide:
        tall = most_pixels // width
    elif height < tall:
        wide = most_pixels // height
    return tuple(
        PictureTile(rows, columns)
        for rows in tile_sides(config, height, tall)
        for columns in tile_sides(config, width, wide)
    )


def tile_sides(config: SharpMaskConfig, side: int, most: int) -> list[TileSide]:
    """Return the tiles along one side of a framed picture, each some `most` pixels long.

    They are longer where most of a tile would be its halo.
    """
    stride, windows = config.stride, window_count(config, side)
    if side <= most:
        return [TileSide(0, side, 0, windows)]
    halo = -(-HALO // stride) * stride
    length = max(most, 2 * (config.window + 2 * halo)) // stride * stride
    found: list[TileSide] = []
    first = 0
    while first < windows:
        start = max(0, first * stride - halo)
        if start + length >= side:
            start, stop, last = max(0, side - length) // stride * stride, side, windows
        else:
            stop = start + length
            last = (stop - halo - config.window) // stride + 1
        found.append(TileSide(start, stop, first, last))
        first = last
    return found


def window_count(config: SharpMaskConfig, side: int) -> int:
    """Return how many windows there are along a side of a framed picture."""
    return -(-side // config.stride) - config.grid + 1


def dense_pass(
    engine: Engine[torch.Tensor, DenseOutputs],
    config: SharpMaskConfig,
    picture: FramedPicture,
    most_pixels: int = MOST_PIXELS,
) -> DenseOutputs:
    """Return the outputs for every window of a framed picture, in memory of their own."""
    places = tiles(config, picture.height, picture.width, most_pixels)
    whole: DenseOutputs | None = None
    for tile in places:
        rows, columns = tile.rows, tile.columns
        made = engine.start(picture.part(rows.start, rows.stop, columns.start, columns.stop))()
        whole = whole or _empty(config, picture, made)
        for full, part, level in _maps(whole, made):
            to_rows, from_rows = _own(config, rows, full.shape[-2], level)
            to_columns, from_columns = _own(config, columns, full.shape[-1], level)
            full[..., to_rows, to_columns] = part[..., from_rows, from_columns]
    assert whole is not None
    if len(places) > 1:
        give_back_memory()
    return whole


def _empty(config: SharpMaskConfig, picture: FramedPicture, like: DenseOutputs) -> DenseOutputs:
    """Return maps for the whole picture of as many channels as those of a tile."""
    shape = (window_count(config, picture.height), window_count(config, picture.width))
    skips = []
    for level, skip in enumerate(like.skips):
        cell = config.stride >> level
        sides = (-(-picture.height // cell), -(-picture.width // cell))
        skips.append(skip.new_empty((*skip.shape[:2], *sides)))
    return DenseOutputs(
        like.score_logits.new_empty((1, *shape)),
        like.codes.new_empty((*like.codes.shape[:2], *shape)),
        tuple(skips),
    )


def _maps(whole: DenseOutputs, part: DenseOutputs) -> Iterator[tuple[torch.Tensor, torch.Tensor, int | None]]:
    """Yield each map of the picture with a tile's own and, for skips, their level."""
    yield whole.score_logits, part.score_logits, None
    yield whole.codes, part.codes, None
    for level, (full, some) in enumerate(zip(whole.skips, part.skips, strict=True)):
        yield full, some, level


def _own(config: SharpMaskConfig, span: TileSide, cells: int, level: int | None) -> tuple[slice, slice]:
    """Return a tile's own cells along one side, in the map of the picture and in the tile's.

    cells: of the picture's map; level: of skips, None for maps with one cell a window
    """
    shift = level or 0
    before = span.start // config.stride << shift
    first, last = span.first << shift, span.last << shift
    if level is not None and span.last == -(-cells >> shift) - config.grid + 1:
        last = cells  # windows are larger than their stride: the last one's skips reach to the end
    return slice(first, last), slice(first - before, last - before)
