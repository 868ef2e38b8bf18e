"""Frames to the network's input on the CPU: the values that `model.preprocessing` makes of tensors.

Resizing is a product with a matrix on either side, of which most is 0: each place of the result is a mean of
few pixels. Only the band of the others is multiplied, in blocks and stripes that stay in the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.config import YolactConfig
from model.host.outputs import Floats
from model.input_shape import input_shape

Frame = NDArray[np.uint8]

_BLOCK = 16  # places of the result
_STRIPE = 4  # blocks of rows: half a megabyte of a common video's


def prepare(frames: Sequence[Frame], config: YolactConfig) -> Floats:
    """Return the network's input for frames of one size: [B, 3, h, w] float32, normalised RGB.

    frames: at least one, [H, W, 3] uint8 BGR each

    h x w is `input_shape(config, (H, W)).padded`, and what the frame does not fill is 0, the mean colour.
    Raises ValueError on another shape or dtype, or on frames without pixels.
    """
    for frame in frames:
        if frame.ndim != 3 or frame.shape[-1] != 3 or frame.dtype != np.uint8 or frame.size == 0:
            raise ValueError(f"expected a frame [H, W, 3] uint8 BGR, got {list(frame.shape)} {frame.dtype}")
    shape = input_shape(config, (frames[0].shape[0], frames[0].shape[1]))
    height, width = shape.content
    prepared = np.empty((len(frames), 3, *shape.padded), np.float32)
    prepared[:, :, height:] = 0
    prepared[:, :, :height, width:] = 0
    for image, frame in zip(prepared, frames, strict=True):
        _fill(image[:, :height, :width], frame, config)
    return prepared


def _fill(image: Floats, frame: Frame, config: YolactConfig) -> None:
    """Resize and normalise a frame into image [3, h, w], from stripe to stripe."""
    antialias = config.keeps_aspect_ratio
    pixels = np.ascontiguousarray(frame).reshape(len(frame), -1)  # [H, W·3]
    downwards = _bands(len(frame), image.shape[1], antialias)
    across = _channel_bands(frame.shape[1], image.shape[2], antialias, config.pixel_std)
    rows = np.empty((_STRIPE * _BLOCK, pixels.shape[1]), np.float32)
    scaled = np.empty((_STRIPE * _BLOCK, 3 * image.shape[2]), np.float32)
    for first in range(0, len(downwards), _STRIPE):
        stripe = downwards[first : first + _STRIPE]
        top, count = stripe[0].places.start, stripe[-1].places.stop - stripe[0].places.start
        for band in stripe:
            here = rows[band.places.start - top : band.places.stop - top]
            np.matmul(band.weights, pixels[band.sources].astype(np.float32), out=here)
        for band in across:
            scaled[:count, band.places] = rows[:count, band.sources] @ band.weights
        for channel, (mean, std) in enumerate(zip(config.pixel_mean, config.pixel_std, strict=True)):
            part = image[channel, top : top + count]
            np.subtract(scaled[:count, channel::3], np.float32(mean / std), out=part)


class _Band(NamedTuple):
    """Places of the result, the pixels that they are means of, and the weights of these."""

    places: slice
    sources: slice
    weights: Floats


@lru_cache(maxsize=16)
def _bands(pixels: int, places: int, antialias: bool) -> tuple[_Band, ...]:
    """Return the bands that resize a line of pixels; the weights of each are [places, pixels] of it.

    Bilinear with half-pixel centres; with antialiasing, a place of a smaller result is a mean over all pixels
    that it stands for.
    """
    scale = pixels / places
    reach = max(scale, 1.0) if antialias else 1.0
    bands = []
    for start in range(0, places, _BLOCK):
        stop = min(start + _BLOCK, places)
        centres = np.clip((np.arange(start, stop) + 0.5) * scale, 0.5, pixels - 0.5)
        first = max(int(centres[0] - reach), 0)
        last = min(int(centres[-1] + reach) + 1, pixels)
        away = np.abs(np.arange(first, last) + 0.5 - centres[:, None])
        weights = np.maximum(1 - away / reach, 0)
        weights /= weights.sum(axis=1, keepdims=True)
        bands.append(_Band(slice(start, stop), slice(first, last), weights.astype(np.float32)))
    return tuple(bands)


@lru_cache(maxsize=16)
def _channel_bands(
    pixels: int, places: int, antialias: bool, std: tuple[float, float, float]
) -> tuple[_Band, ...]:
    """Return the bands for lines of BGR pixels, which are to become RGB divided by `std`.

    Places and sources count channels; the weights of each band are [channels of pixels, channels of places].
    """
    swapped = np.fliplr(np.eye(3)) / std  # from blue, green, red to red, green, blue
    return tuple(
        _Band(_three(band.places), _three(band.sources), np.kron(band.weights.T, swapped).astype(np.float32))
        for band in _bands(pixels, places, antialias)
    )


def _three(part: slice) -> slice:
    return slice(3 * part.start, 3 * part.stop)
