"""Image files: sizes from headers, to find broken files before a run, and decoding."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.errors import SourceError
from model.images import opened, to_rgb
from model.orientation import as_stored, stored_size, turned_upright

CACHE_BYTES = 256 * 1024 * 1024
"""Default size of an `ImageCache`: about 450 photographs of 512 x 384 pixels."""

Decode = Callable[[Path, bool], NDArray[np.uint8]]

_UNREADABLE = (OSError, ValueError, SyntaxError)


def read_size(path: Path) -> tuple[int, int, bool]:
    """Return width and height as stored, in pixels, and True if EXIF turns the image by a quarter.

    Reads the header only. Raises ValueError with the reason when it cannot be read.
    """
    try:
        with opened(path) as image:
            width, height, turned = stored_size(image)
    except FileNotFoundError:
        raise ValueError("image file is missing") from None
    except SourceError as error:
        raise ValueError(f"image file is not fit for use: {error}") from None
    except _UNREADABLE:
        raise ValueError("image file cannot be read") from None
    return width, height, turned


def upright_size(path: Path) -> tuple[int, int]:
    """Return width and height in pixels, turned by EXIF. Raises ValueError as `read_size` does."""
    width, height, turned = read_size(path)
    return (height, width) if turned else (width, height)


def labels_are_upright(path: Path, width: int, height: int) -> bool:
    """Return True if labels of a width x height image belong to the file as turned by EXIF.

    False means that they belong to the pixels as stored. Raises ValueError with the reason when the file
    cannot be read or has another size.
    """
    stored_width, stored_height, turned = read_size(path)
    if not turned:
        upright_fits = stored_fits = (width, height) == (stored_width, stored_height)
    else:
        upright_fits = (width, height) == (stored_height, stored_width)
        stored_fits = (width, height) == (stored_width, stored_height)
    if not (upright_fits or stored_fits):
        raise ValueError("image has another size than its labels say")
    return upright_fits


def decode_rgb(path: Path, upright: bool = True) -> NDArray[np.uint8]:
    """Decode an image, [H, W, 3] uint8 RGB, turned by its EXIF orientation if `upright`.

    Raises ValueError with the reason when it cannot be decoded completely.
    """
    try:
        with opened(path) as image:
            return to_rgb(turned_upright(image) if upright else as_stored(image))
    except (SourceError, *_UNREADABLE) as error:
        raise ValueError(f"image file cannot be decoded ({error})") from error


class ImageCache:
    """Cache of decoded images, [H, W, 3] uint8, of `limit` bytes at most.

    The first images stay: in any order of drawing that saves decoding the share of them that fits, while
    replacing older ones would save little. The returned arrays must not be changed.
    """

    def __init__(self, decode: Decode, limit: int = CACHE_BYTES) -> None:
        self._decode = decode
        self._left = limit
        self._kept: dict[tuple[Path, bool], NDArray[np.uint8]] = {}

    def __call__(self, path: Path, upright: bool) -> NDArray[np.uint8]:
        """Return the image, turned by its EXIF orientation if `upright`. Raises what `decode` raises."""
        kept = self._kept.get((path, upright))
        if kept is not None:
            return kept
        pixels = self._decode(path, upright)
        if pixels.nbytes <= self._left:
            self._left -= pixels.nbytes
            self._kept[path, upright] = pixels
        return pixels
