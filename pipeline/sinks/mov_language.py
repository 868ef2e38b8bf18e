"""The languages of tracks in mov files, which FFmpeg writes as numbers of the old Macintosh alone.

Those have no place for most languages, and names of their own for some; readers take three letters as in mp4
just as well (QuickTime File Format, "Language code values").
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from model.atomic import sync

_PLACE = {0: 20, 1: 32}  # version of `mdhd` -> bytes before its language


def write_languages(path: Path, languages: Mapping[int, str]) -> None:
    """Put the languages of tracks (number from 0 -> three letters a to z) into a mov file that is whole.

    Raises OSError. A file without an index is left as it is.
    """
    with path.open("r+b") as file:
        size = path.stat().st_size
        tracks = (track for moov in _boxes(file, 0, size, b"moov") for track in _boxes(file, *moov, b"trak"))
        for number, track in enumerate(tracks):
            if number in languages:
                _set_language(file, track, languages[number])
        sync(file)


def _set_language(file: BinaryIO, track: tuple[int, int], language: str) -> None:
    for mdia in _boxes(file, *track, b"mdia"):
        for start, _ in _boxes(file, *mdia, b"mdhd"):
            file.seek(start)
            place = start + _PLACE[file.read(1)[0]]
            file.seek(place)
            file.write(struct.pack(">H", _packed(language)))


def _packed(language: str) -> int:
    """Five bits a letter, as ISO/IEC 14496-12, 8.4.2 has it."""
    first, second, third = (ord(letter) - 0x60 for letter in language)
    return first << 10 | second << 5 | third


def _boxes(file: BinaryIO, at: int, end: int, kind: bytes) -> Iterator[tuple[int, int]]:
    """Beginning and end of what is in each box of that kind between two places."""
    while at + 8 <= end:
        file.seek(at)
        length, found = struct.unpack(">I4s", file.read(8))
        header = 8
        if length == 1:
            length, header = struct.unpack(">Q", file.read(8))[0], 16
        length = length or end - at
        if length < header:
            return
        if found == kind:
            yield at + header, at + length
        at += length
