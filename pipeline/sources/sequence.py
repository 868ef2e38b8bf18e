"""Images as a source: one, a folder of them or the matches of a pattern, in the order they were found in."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from fractions import Fraction
from math import floor
from pathlib import Path
from time import monotonic

from model.errors import ConfigError, SourceError
from pipeline.frame import Frame, Image
from pipeline.sources.base import Seekable, SourceInfo
from pipeline.sources.images import read_image
from pipeline.sources.picture.letterbox import letterboxed

FRAME_RATE = Fraction(25)
"""Frames a second of a sequence where nothing else was asked for."""


def open_images(
    paths: Sequence[Path], frame_rate: Fraction = FRAME_RATE, letterbox: bool = False
) -> Seekable:
    """The images as frames: `pts` 0, 1, 2, … in a time base of 1 / `frame_rate`, each with its file's name.

    The first one is read at once and says the size that all must have, for a video has one size only; with
    `letterbox` the others are brought to it, see `letterboxed`.

    Raises ConfigError where there is no image or the frame rate is not positive, SourceError when the first
    image cannot be read.
    """
    if not paths:
        raise ConfigError("a sequence needs at least one image, got none")
    if frame_rate <= 0:
        raise ConfigError(f"the frame rate of a sequence must be above 0, got {frame_rate}")
    return _ImageSequence(tuple(paths), Fraction(frame_rate), read_image(paths[0]), letterbox)


class _ImageSequence:
    def __init__(self, paths: tuple[Path, ...], frame_rate: Fraction, first: Image, letterbox: bool) -> None:
        """first: the image of `paths[0]`."""
        height, width = first.shape[:2]
        self._paths = paths
        self._letterbox = letterbox
        self._time_base = 1 / frame_rate
        self._first: Image | None = first
        self._next = 0  # place of the image that is read next
        self._count = 0
        self._stopped = threading.Event()
        self._info = SourceInfo(
            name=_name(paths),
            live=False,
            width=width,
            height=height,
            frame_rate=frame_rate,
            frame_count=len(paths),
            duration=len(paths) / frame_rate,
            stills=True,
        )

    @property
    def info(self) -> SourceInfo:
        return self._info

    @property
    def warnings(self) -> tuple[str, ...]:
        return ()  # an image that cannot be read ends the sequence: no picture is ever left out

    def read(self) -> Frame | None:
        place = self._next
        if self._stopped.is_set() or place == len(self._paths):
            return None
        image = self._image(place)
        index, self._next, self._count = self._count, place + 1, self._count + 1
        return Frame(image, index, place, self._time_base, monotonic(), self._paths[place].name)

    def seek(self, time: Fraction) -> None:
        self._first = None
        self._next = min(max(floor(time / self._time_base), 0), len(self._paths) - 1)

    def interrupt(self) -> None:
        self._stopped.set()

    def close(self) -> None:
        self._stopped.set()
        self._first = None

    def _image(self, place: int) -> Image:
        if self._first is not None:
            image, self._first = self._first, None
            return image
        image = read_image(self._paths[place])
        height, width = image.shape[:2]
        if (width, height) == (self._info.width, self._info.height):
            return image
        if self._letterbox:
            return letterboxed(image, (self._info.height, self._info.width))
        raise SourceError(
            f"{self._paths[place]}: {width} x {height} pixels, but {self._paths[0].name}, the first of the "
            f"sequence, has {self._info.width} x {self._info.height}; scale the images to one size, or "
            "annotate each of them by itself"
        )


def _name(paths: tuple[Path, ...]) -> str:
    folders = {path.parent for path in paths}
    if len(paths) == 1:
        return str(paths[0])
    return f"{folders.pop() if len(folders) == 1 else 'images'} ({len(paths)} images)"
