"""Photographs on disk: finding them, and reading them into frames."""

from __future__ import annotations

import glob
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from model.errors import SourceError

MAX_PIXELS = 100_000_000
"""The largest image that is decoded; one of this size takes about 1 GB of memory on its way."""

IMAGE_SUFFIXES = frozenset(
    {
        *(".bmp", ".dib", ".gif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".mpo"),
        *(".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"),
    }
)
"""What counts as an image where a folder or a pattern is searched; a file named outright may be called
anything, for its header decides."""

VIDEO_SUFFIXES = frozenset(
    {
        *(".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg"),
        *(".mts", ".ogv", ".webm", ".wmv"),
    }
)

# Photographs and pictures of the web only. Pillow would read more, but some of it by way of other programs.
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "DIB", "GIF", "PPM", "JPEG2000")
_GREY_16_BIT = ("I;16", "I;16B", "I;16L", "I;16N", "I")


@dataclass(frozen=True)
class Found:
    """What one argument stands for: images to read, and videos, which are not images."""

    images: tuple[Path, ...]
    videos: tuple[Path, ...] = ()


def find_images(argument: str | Path) -> Found:
    """The images that a file, a folder or a pattern with `*`, `?`, `[…]` or `**` stands for.

    A folder is searched for files with a suffix of `IMAGE_SUFFIXES`, not in its subfolders and not for
    hidden files; the order is the natural one, 2 before 10. Something that exists is taken at its name
    even when the name reads like a pattern (`photo[1].jpg`).

    Raises SourceError when there is no such file, or no image in the folder or under the pattern.
    """
    path = Path(argument)
    try:
        if path.is_dir():
            return _choose(path.iterdir(), f"{path}: the folder")
        if path.exists():
            return _named(path)
        if any(sign in str(argument) for sign in "*?["):
            return _choose(_matches(str(argument)), f"{argument}: the pattern")
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from error
    raise SourceError(f"{argument}: no such file or folder")


def read_image(path: Path) -> NDArray[np.uint8]:
    """An image file as a frame: [H, W, 3] uint8 BGR, upright as its EXIF orientation says.

    Grey images get three equal channels; transparent pixels show white, as on paper; of 16 bits the upper
    8 stay; CMYK is converted without its colour profile; of an animation the first picture is taken. The
    header is checked before a pixel is decoded, so that an image of more than `MAX_PIXELS` costs nothing.

    Raises SourceError when the file is absent, is no image, is too large, or is broken or cut short.
    """
    try:
        # Pillow warns of odd metadata, which is not the reader's concern, and of size, which is checked here
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=_FORMATS) as picture:
                _check_size(picture.size)
                picture.load()
                return _to_bgr(_upright(picture))
    except (SourceError, Image.DecompressionBombError) as error:
        raise SourceError(f"{path}: {error}") from error
    except UnidentifiedImageError as error:
        raise SourceError(f"{path}: not an image that can be read; expected {_format_list()}") from error
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # decoders fail on broken files with whatever their parsing trips over
        raise SourceError(f"{path}: broken image: {error or type(error).__name__}") from error


def _named(path: Path) -> Found:
    if path.suffix.lower() in VIDEO_SUFFIXES:
        raise SourceError(f"{path}: a video; only photographs can be annotated")
    if not path.is_file():
        raise SourceError(f"{path}: not a file")
    return Found((path,))


def _matches(pattern: str) -> Iterator[Path]:
    # Path.glob takes no absolute patterns and stumbles over ".."
    return map(Path, glob.iglob(pattern, recursive=True))  # noqa: PTH207


def _choose(candidates: Iterable[Path], where: str) -> Found:
    files = sorted((path for path in candidates if _is_visible_file(path)), key=_natural)
    images = tuple(path for path in files if path.suffix.lower() in IMAGE_SUFFIXES)
    videos = tuple(path for path in files if path.suffix.lower() in VIDEO_SUFFIXES)
    if not images:
        also = f", only {len(videos)} video(s), which cannot be annotated" if videos else ""
        raise SourceError(f"{where} holds no image{also}; expected {_format_list()}")
    return Found(images, videos)


def _is_visible_file(path: Path) -> bool:
    return not path.name.startswith(".") and path.is_file()


def _natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """A key that sorts numbers within names by their value; the name itself breaks ties."""
    parts = re.split(r"([0-9]+)", str(path).casefold())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], str(path)


def _format_list() -> str:
    return ", ".join(name for name in _FORMATS if name != "DIB")


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise SourceError(
            f"an image of {width} x {height} pixels is too large; at most {MAX_PIXELS // 10**6} million "
            "pixels are read, so scale it down first"
        )


def _upright(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # a broken EXIF block is no reason to lose the picture, only its rotation
        return picture


def _to_bgr(picture: Image.Image) -> NDArray[np.uint8]:
    if picture.mode in _GREY_16_BIT:
        grey = np.clip(np.asarray(picture), 0, 65535) >> 8
        return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    if picture.mode == "F":
        raise SourceError("floating-point pixels have no agreed white; convert the image to 8 or 16 bits")
    rgb = np.asarray(_over_white(picture) if picture.has_transparency_data else picture.convert("RGB"))
    return np.ascontiguousarray(rgb[..., ::-1])


def _over_white(picture: Image.Image) -> Image.Image:
    paper = Image.new("RGBA", picture.size, "white")
    paper.alpha_composite(picture.convert("RGBA"))
    return paper.convert("RGB")
