"""Photographs and videos on disk: finding them, and reading photographs into frames."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import UnidentifiedImageError

from model.errors import SourceError
from model.images import opened, readable, to_rgb
from model.orientation import as_stored, turned_upright
from pipeline.sources.addresses import redacted
from pipeline.sources.foreign import refusal
from pipeline.sources.searching import below, counted_by_kind, each_once, matches

IMAGE_SUFFIXES = frozenset(
    {
        *(".avif", ".heic", ".heif", ".hif", ".jxl"),
        *(".bmp", ".dib", ".gif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".mpo"),
        *(".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"),
    }
)
"""Suffixes of images, but for animations, where a folder or a pattern is searched; a file named
outright may be called anything, for its header decides."""

VIDEO_SUFFIXES = frozenset(
    {
        *(".3g2", ".3gp", ".asf", ".avi", ".f4v", ".flv", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg"),
        *(".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm"),
        *(".wmv", ".y4m"),
        # of cameras, recorders and other programs, and bare streams
        *(".3gpp", ".264", ".265", ".amv", ".apng", ".avc", ".dav", ".divx", ".dv", ".evo", ".gxf", ".h261"),
        *(".h263", ".h264", ".h265", ".hevc", ".insv", ".ivf", ".lrv", ".m1v", ".m2t", ".mj2", ".mk3d"),
        *(".mod", ".mp2v", ".mpv", ".nut", ".obu", ".ogm", ".qt", ".rm", ".rmvb", ".tod", ".tp", ".trp"),
        *(".vro", ".vvc", ".wtv", ".xvid"),
    }
)

UNFINISHED_SUFFIX = ".part"
"""Stands before the suffix of an output that is not whole yet (`clip.part.mp4`), which is never an input."""

_PICTURE_SERIES = frozenset({".mjpeg", ".mjpg"})
_ANIMATION_SUFFIXES = frozenset({".avif", ".gif", ".png", ".webp"})
_ANIMATION_FORMATS = ("AVIF", "GIF", "PNG", "WEBP")  # several pictures in a JPEG or a TIFF are no animation
_PATTERN_SIGNS = "*?["


@dataclass(frozen=True)
class FoundMedia:
    """The images and videos that one argument stands for, each in their natural order.

    left: files that are left out, for nothing says that they are any of the two
    """

    images: tuple[Path, ...] = ()
    videos: tuple[Path, ...] = ()
    left: tuple[Path, ...] = ()


def find_media(argument: str | Path, recursive: bool = False) -> FoundMedia:
    """The images and videos that a file, a folder or a pattern with `*`, `?`, `[…]` or `**` stands for.

    A folder is searched for files with a suffix of `IMAGE_SUFFIXES` or `VIDEO_SUFFIXES`, in its subfolders
    where it is `recursive`, not for hidden files and not for unfinished outputs; the order is the natural
    one, 2 before 10. Files that are found at any depth come once, however many links lead to them. A file
    named outright is an image when it begins as one, or is called like one, and else is taken for a video. An
    animation (GIF, PNG, WebP) is a video. Something that exists is taken at its name even when the name reads
    like a pattern (`photo[1].jpg`).

    Raises SourceError when there is no such file, or no media in the folder or under the pattern.
    """
    path = Path(argument)
    shown = redacted(str(argument))  # a mistyped address ends up here, too
    try:
        if path.is_dir():
            inside = each_once(sorted(below(path), key=_natural)) if recursive else path.iterdir()
            return _choose(inside, f"{path}: the folder")
        if path.exists():
            return _named(path)
        if is_pattern(str(argument)):
            found = sorted(set(matches(str(argument))), key=_natural)
            return _choose(each_once(found) if "**" in str(argument) else found, f"{shown}: the pattern")
    except OSError as error:
        raise SourceError(f"{shown}: cannot be read: {error.strerror or error}") from error
    raise SourceError(f"{shown}: no such file or folder")


def is_pattern(text: str) -> bool:
    """Return True if a text has wildcards in it; it may be a file's own name all the same."""
    return any(sign in text for sign in _PATTERN_SIGNS)


def read_image(path: Path, upright: bool = True) -> NDArray[np.uint8]:
    """An image file as a frame: [H, W, 3] uint8 BGR, upright as its EXIF orientation says.

    Without `upright` it is as its pixels are stored, for labels that belong to those. Its pixels are those
    of `to_rgb`, in the other order; of an animation the first picture is taken. The header is checked before
    a pixel is decoded, so that an image that is too large costs nothing.

    Raises SourceError when the file is absent, is no image, is too large, or is broken or cut short.
    """
    try:
        with opened(path) as picture:
            turned = turned_upright(picture) if upright else as_stored(picture)
            return np.ascontiguousarray(to_rgb(turned)[..., ::-1])
    except SourceError as error:
        raise SourceError(f"{path}: {error}") from error
    except UnidentifiedImageError as error:
        why = refusal(path) or f"not an image that can be read; expected {_format_list()}"
        raise SourceError(f"{path}: {why}") from error
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from error
    except MemoryError:  # says nothing about the file
        raise
    except Exception as error:  # decoders fail on broken files with whatever their parsing trips over
        raise SourceError(f"{path}: broken image: {str(error) or type(error).__name__}") from error


def _named(path: Path) -> FoundMedia:
    if not path.is_file():
        raise SourceError(f"{path}: not a file")
    return FoundMedia(images=(path,)) if _is_image(path) else FoundMedia(videos=(path,))


def _is_image(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix in _PICTURE_SERIES:  # begins as a single JPEG does
        return False
    try:
        with opened(path) as picture:
            return not (picture.format in _ANIMATION_FORMATS and getattr(picture, "is_animated", False))
    except SourceError:  # an image that cannot be taken: `read_image` says why
        return True
    except MemoryError:
        raise
    except Exception:  # no image, a broken or an unreadable one, which its reader has to say
        return suffix in IMAGE_SUFFIXES or bool(refusal(path))


def _choose(candidates: Iterable[Path], where: str) -> FoundMedia:
    images: list[Path] = []
    videos: list[Path] = []
    left: list[Path] = []
    for path in sorted((path for path in candidates if _is_offered(path)), key=_natural):
        suffix = path.suffix.lower()
        if suffix in VIDEO_SUFFIXES or (suffix in _ANIMATION_SUFFIXES and not _is_image(path)):
            videos.append(path)
        elif suffix in IMAGE_SUFFIXES:
            images.append(path)
        else:
            left.append(path)
    if not images and not videos:
        others = f"; {counted_by_kind(left)} in it" if left else ""
        raise SourceError(
            f"{where} holds no image and no video; expected {_format_list()}, or a video file{others}"
        )
    return FoundMedia(tuple(images), tuple(videos), tuple(left))


def _is_offered(path: Path) -> bool:
    """Return True if a file is neither hidden nor an output that is still being written."""
    unfinished = Path(path.stem).suffix.lower() == UNFINISHED_SUFFIX
    return not path.name.startswith(".") and not unfinished and path.is_file()


def _natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """A key that sorts numbers within names by their value; the name itself breaks ties."""
    parts = re.split(r"([0-9]+)", str(path).casefold())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], str(path)


def _format_list() -> str:
    return ", ".join(name for name in readable() if name != "DIB")
