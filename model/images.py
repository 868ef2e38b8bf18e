"""Decode image files, in the same way for training and inference.

Only the formats of photographs and of the web are read. Pillow reads more, some of them by other programs.
"""

from __future__ import annotations

import contextlib
import importlib
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.colour_profile import to_srgb
from model.errors import SourceError

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "DIB", "GIF", "PPM", "JPEG2000", "AVIF", "HEIF")
"""Pillow's names of the formats that are read; a file's header decides, not its name. AVIF needs Pillow 11.3,
HEIF (HEIC of phones) the package pillow-heif; see `readable`."""

MAX_PIXELS = 100_000_000
"""Pixels of the largest image that is decoded, which takes about 1 GB of memory."""

_GREY_16_BIT = ("I;16", "I;16B", "I;16L", "I;16N", "I")
_LIMIT = f"is too large; at most {MAX_PIXELS // 10**6} million pixels are read, so scale it down first"


@cache
def readable() -> tuple[str, ...]:
    """Return those of `FORMATS` that the installed packages read."""
    with contextlib.suppress(ImportError):
        importlib.import_module("pillow_heif").register_heif_opener()
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Open an image file, of which only the header is read.

    Raises SourceError when it has more than `MAX_PIXELS` or floating-point pixels, and whatever Pillow
    raises, here and as the picture is decoded, when the file is absent, no image or broken.
    """
    # Pillow warns of odd metadata, which do not matter here, and of size, which is checked here
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(path, formats=readable()) as picture:
                _check(picture)
                yield picture
        except Image.DecompressionBombError as error:  # Pillow's own, higher limit comes first
            raise SourceError(f"the image {_LIMIT}") from error


def to_rgb(picture: Image.Image) -> NDArray[np.uint8]:
    """Return the pixels, [H, W, 3] uint8 RGB, as a new array.

    Grey images get three equal channels; transparent pixels show white, as on paper; 16 bits are
    reduced to the upper 8. The colours are sRGB: images with an ICC profile of another space are converted,
    except grey ones of 16 bits.
    """
    if picture.mode in _GREY_16_BIT:
        grey = np.clip(np.asarray(picture), 0, 65535) >> 8
        return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    if picture.has_transparency_data:
        return np.array(_over_white(to_srgb(picture.convert("RGBA"))))
    if picture.mode == "P":
        picture = picture.convert("RGB")
    return np.array(to_srgb(picture).convert("RGB"))


def _check(picture: Image.Image) -> None:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise SourceError(f"an image of {width} x {height} pixels {_LIMIT}")
    if picture.mode == "F":
        raise SourceError("floating-point pixels have no agreed white; convert the image to 8 or 16 bits")


def _over_white(picture: Image.Image) -> Image.Image:
    paper = Image.new("RGBA", picture.size, "white")
    paper.alpha_composite(picture.convert("RGBA"))
    return paper.convert("RGB")
