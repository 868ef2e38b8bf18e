"""Cropping that a container asks for.

FFmpeg reads it and leaves cropping to the player, but PyAV does not hand it on.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from io import BufferedReader
from pathlib import Path

import av

from pipeline.ebml import elements
from pipeline.sources.picture.track_entry import VIDEO, matroska_entry, mp4_entry

_SIDES = {0x54CC: "left", 0x54BB: "top", 0x54DD: "right", 0x54AA: "bottom"}  # RFC 9559


@dataclass(frozen=True)
class Crop:
    """Pixels to take off each side of a picture as it is stored."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def leaves(self, height: int, width: int) -> bool:
        """Return True if it takes something off a picture of this size, and leaves something of it."""
        sides = (self.left, self.top, self.right, self.bottom)
        fits = self.left + self.right < width and self.top + self.bottom < height
        return any(sides) and min(sides) >= 0 and fits


NO_CROP = Crop()


def crop_of(path: Path, stream: av.VideoStream) -> Crop:
    """Return the cropping of a stream's pictures: PixelCrop of Matroska, `clap` of mp4 and mov."""
    kind = stream.container.format.name
    try:
        with path.open("rb") as file:
            if kind.startswith("matroska"):
                return _of_matroska(file, stream)
            if kind.startswith("mov"):
                return _of_mp4(file, stream)
    except (OSError, ValueError, ZeroDivisionError):  # whatever is wrong with it, the video may be well
        pass
    return NO_CROP


def _of_matroska(file: BufferedReader, stream: av.VideoStream) -> Crop:
    data, entry = matroska_entry(file, stream)
    video = next((part for part in entry if part.id == VIDEO), None)
    if video is None:
        return NO_CROP
    return Crop(
        **{
            _SIDES[part.id]: int.from_bytes(data[part.begin : part.end])
            for part in elements(data, video.begin, video.end)
            if part.id in _SIDES
        }
    )


def _of_mp4(file: BufferedReader, stream: av.VideoStream) -> Crop:
    apertures = (content for kind, content in mp4_entry(file, stream) if kind == b"clap")
    aperture = next(apertures, None)
    return NO_CROP if aperture is None else _of_aperture(aperture, stream)


def _of_aperture(content: bytes, stream: av.VideoStream) -> Crop:
    """Return the crop for a visible size and the offset of its centre from the picture's."""
    numbers = [int.from_bytes(content[at : at + 4], signed=True) for at in range(0, 32, 4)]
    width, height, right, down = (Fraction(*numbers[at : at + 2]) for at in range(0, 8, 2))
    across, along = (stream.width - width) / 2, (stream.height - height) / 2
    return Crop(round(across + right), round(along + down), round(across - right), round(along - down))
