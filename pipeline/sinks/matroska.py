"""The shape of pixels in Matroska and WebM, which PyAV gives no way to tell.

FFmpeg's muxer takes it from the stream, where PyAV cannot write, and not from the encoder. So room is kept in
the track's header while a file is written, in the guise of a name that ends in spaces, and is filled once the
file is closed. The format: RFC 8794 (EBML) and RFC 9559 (Matroska).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

FORMATS = frozenset({"matroska", "webm"})
"""FFmpeg's names of the containers that this concerns."""

_ROOM = 24  # bytes
_HEAD = 1 << 20  # bytes of a file in which its tracks are looked for
_SEGMENT, _TRACKS, _ENTRY, _VIDEO = 0x18538067, 0x1654AE6B, 0xAE, 0xE0
_NAME, _CRC, _VOID = 0x536E, 0xBF, 0xEC
_WIDTH, _HEIGHT, _UNIT = 0x54B0, 0x54BA, 0x54B2
_ASPECT_RATIO = 3  # what width and height count where they are no pixels


@dataclass(frozen=True)
class Element:
    """A part of a file that has a name. Its content goes from `begin` to `end`, in bytes."""

    id: int
    begin: int
    end: int


def keep_room(stream: av.VideoStream) -> None:
    """Before the header is written: keep room for `tell_aspect`."""
    stream.metadata["title"] = stream.metadata.get("title", "") + " " * _ROOM


def tell_aspect(path: Path, size: tuple[int, int], aspect: Fraction, is_webm: bool) -> None:
    """Fill the room in a file that is closed, where there is some.

    size: (width, height) in pixels; aspect: of a pixel, width to height. Raises OSError.
    """
    shown = _elements_for(size, aspect, is_webm)
    with path.open("r+b") as file:
        data = file.read(_HEAD)
        for tracks in _inside(data, _SEGMENT, _TRACKS):
            changed = _tracks(data, tracks, shown)
            if changed is not None:
                file.seek(tracks.begin)
                file.write(changed)


def _elements_for(size: tuple[int, int], aspect: Fraction, is_webm: bool) -> bytes:
    width, height = size
    if is_webm:  # which knows pixels only
        return _number(_WIDTH, round(width * aspect)) + _number(_HEIGHT, height)
    shape = aspect * width / height
    return (
        _number(_WIDTH, shape.numerator) + _number(_HEIGHT, shape.denominator) + _number(_UNIT, _ASPECT_RATIO)
    )


def _tracks(data: bytes, tracks: Element, shown: bytes) -> bytes | None:
    """The content of the tracks with `shown` where there is room, as long as before; None without room."""
    for entry in elements(data, tracks.begin, tracks.end):
        changed = _entry(data, entry, shown) if entry.id == _ENTRY else None
        if changed is not None:
            content = data[tracks.begin : entry.begin] + changed + data[entry.end : tracks.end]
            return _with_crc(content)
    return None


def _entry(data: bytes, entry: Element, shown: bytes) -> bytes | None:
    parts, has_room = b"", False
    start = entry.begin
    for part in elements(data, entry.begin, entry.end):
        content = data[part.begin : part.end]
        if part.id == _NAME and content.endswith(b" " * _ROOM):
            has_room = True
            name = content[:-_ROOM]
            parts += _element(_NAME, name) if name else b""
        elif part.id == _VIDEO:
            parts += _element(_VIDEO, _without(content, {_WIDTH, _HEIGHT, _UNIT}) + shown)
        else:
            parts += data[start : part.end]
        start = part.end
    spare = entry.end - entry.begin - len(parts)
    if not has_room or spare < 2:
        return None
    return parts + _element(_VOID, bytes(spare - 2))


def _without(content: bytes, ids: set[int]) -> bytes:
    kept, start = b"", 0
    for part in elements(content, 0, len(content)):
        kept += b"" if part.id in ids else content[start : part.end]
        start = part.end
    return kept


def _with_crc(content: bytes) -> bytes:
    """The content with its check sum, which comes first where there is one."""
    first = next(elements(content, 0, len(content)), None)
    if first is None or first.id != _CRC:
        return content
    rest = content[first.end :]
    return content[: first.begin] + zlib.crc32(rest).to_bytes(4, "little") + rest


def _inside(data: bytes, outer: int, inner: int) -> Iterator[Element]:
    """The elements of one kind in those of another that stand at the top."""
    for top in elements(data, 0, len(data)):
        if top.id == outer:
            yield from (part for part in elements(data, top.begin, top.end) if part.id == inner)


def elements(data: bytes, begin: int, end: int) -> Iterator[Element]:
    """The elements that lie between two places, one after another; the last one may be cut off.

    Ends where something is no element.
    """
    at = begin
    while at < end:
        id_length, size_at = _length_at(data, at), at + _length_at(data, at)
        size_length = _length_at(data, size_at)
        content = size_at + size_length
        if not id_length or not size_length or content > end:
            return
        marked = int.from_bytes(data[size_at:content])
        size = marked & ((1 << 7 * size_length) - 1)
        is_open = size == (1 << 7 * size_length) - 1  # until whatever comes ends it
        yield Element(int.from_bytes(data[at:size_at]), content, end if is_open else min(content + size, end))
        at = end if is_open else content + size


def _length_at(data: bytes, at: int) -> int:
    """How many bytes the variable number at a place has; 0 where there is none."""
    first = data[at] if at < len(data) else 0
    return 9 - first.bit_length() if first else 0


def _number(id_: int, value: int) -> bytes:
    return _element(id_, value.to_bytes(max((value.bit_length() + 7) // 8, 1)))


def _element(id_: int, content: bytes) -> bytes:
    length = 1
    while len(content) >= (1 << 7 * length) - 1:
        length += 1
    size = (len(content) | 1 << 7 * length).to_bytes(length)
    return id_.to_bytes((id_.bit_length() + 7) // 8) + size + content
