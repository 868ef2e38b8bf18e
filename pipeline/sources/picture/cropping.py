"""Cropping that a container asks for.

FFmpeg reads it and leaves cropping to the player, but PyAV does not hand it on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from io import BufferedReader
from pathlib import Path

import av

from pipeline.ebml import elements, inside

_HEAD = 1 << 20  # bytes of a Matroska file in which its tracks are looked for
_SEGMENT, _TRACKS, _ENTRY, _VIDEO = 0x18538067, 0x1654AE6B, 0xAE, 0xE0
_SIDES = {0x54CC: "left", 0x54BB: "top", 0x54DD: "right", 0x54AA: "bottom"}  # RFC 9559
_SAMPLE_ENTRY = 78  # bytes of one of a video, before the boxes in it (ISO/IEC 14496-12, 12.1.3)

_Box = tuple[bytes, int, int]


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
                return _of_matroska(file.read(_HEAD), stream.container.streams.video.index(stream))
            if kind.startswith("mov"):
                return _of_mp4(file, stream)
    except (OSError, ValueError, ZeroDivisionError):  # whatever is wrong with it, the video may be well
        pass
    return NO_CROP


def _of_matroska(data: bytes, number: int) -> Crop:
    """number: of the stream among those of video, in whose order the tracks stand; FFmpeg tells no other"""
    for tracks in inside(data, _SEGMENT, _TRACKS):
        entries = (entry for entry in elements(data, tracks.begin, tracks.end) if entry.id == _ENTRY)
        videos = [
            part for entry in entries for part in elements(data, entry.begin, entry.end) if part.id == _VIDEO
        ]
        if number < len(videos):
            return Crop(
                **{
                    _SIDES[part.id]: int.from_bytes(data[part.begin : part.end])
                    for part in elements(data, videos[number].begin, videos[number].end)
                    if part.id in _SIDES
                }
            )
    return NO_CROP


def _of_mp4(file: BufferedReader, stream: av.VideoStream) -> Crop:
    size = file.seek(0, 2)
    for track in _find(file, [(b"", 0, size)], b"moov", b"trak"):
        header = next(_find(file, [track], b"tkhd"), None)
        if header is None or _track_id(file, header) != stream.id:
            continue
        for described in _find(file, [track], b"mdia", b"minf", b"stbl", b"stsd"):
            entry = next(_boxes(file, described[1] + 8, described[2]), None)
            if entry is None:
                continue
            for box in _boxes(file, entry[1] + _SAMPLE_ENTRY, entry[2]):
                if box[0] == b"clap":
                    return _of_aperture(_read(file, box[1], 32), stream)
    return NO_CROP


def _of_aperture(content: bytes, stream: av.VideoStream) -> Crop:
    """From the size of what is to be seen, and how far its middle lies from that of the picture."""
    numbers = [int.from_bytes(content[at : at + 4], signed=True) for at in range(0, 32, 4)]
    width, height, right, down = (Fraction(*numbers[at : at + 2]) for at in range(0, 8, 2))
    across, along = (stream.width - width) / 2, (stream.height - height) / 2
    return Crop(round(across + right), round(along + down), round(across - right), round(along - down))


def _track_id(file: BufferedReader, header: _Box) -> int:
    version = _read(file, header[1], 1)[0]
    return int.from_bytes(_read(file, header[1] + (20 if version else 12), 4))


def _find(file: BufferedReader, boxes: list[_Box], *kinds: bytes) -> Iterator[_Box]:
    """The boxes at the end of a path of kinds."""
    for kind in kinds:
        boxes = [box for _, begin, end in boxes for box in _boxes(file, begin, end) if box[0] == kind]
    yield from boxes


def _boxes(file: BufferedReader, begin: int, end: int) -> Iterator[_Box]:
    """Kind, begin and end of the content of the boxes between two places."""
    while begin + 8 <= end:
        head = _read(file, begin, 16)
        size, kind, content = int.from_bytes(head[:4]), head[4:8], begin + 8
        if size == 1:
            size, content = int.from_bytes(head[8:16]), begin + 16
        stop = end if size == 0 else begin + size
        if stop < content:
            return
        yield kind, content, min(stop, end)
        begin = stop


def _read(file: BufferedReader, at: int, count: int) -> bytes:
    file.seek(at)
    data = file.read(count)
    if not data:
        raise ValueError("the file ends here")
    return data
