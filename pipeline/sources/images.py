"""Photographs on disk: finding them, and reading them into frames."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from model.errors import SourceError
from model.images import FORMATS, opened, to_rgb

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

    Its pixels are those of `to_rgb`, in the other order; of an animation the first picture is taken. The
    header is checked before a pixel is decoded, so that an image that is too large costs nothing.

    Raises SourceError when the file is absent, is no image, is too large, or is broken or cut short.
    """
    try:
        with opened(path) as picture:
            picture.load()
            return np.ascontiguousarray(to_rgb(_upright(picture))[..., ::-1])
    except SourceError as error:
        raise SourceError(f"{path}: {error}") from error
    except UnidentifiedImageError as error:
        raise SourceError(f"{path}: not an image that can be read; expected {_format_list()}") from error
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from error
    except MemoryError:  # says nothing about the file
        raise
    except Exception as error:  # decoders fail on broken files with whatever their parsing trips over
        raise SourceError(f"{path}: broken image: {str(error) or type(error).__name__}") from error


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
    return ", ".join(name for name in FORMATS if name != "DIB")


def _upright(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture)
    except MemoryError:
        raise
    except Exception:  # a broken EXIF block is no reason to lose the picture, only its rotation
        return picture
