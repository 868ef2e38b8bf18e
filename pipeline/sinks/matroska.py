"""The shape of pixels in Matroska and WebM, which PyAV gives no way to tell.

FFmpeg's muxer takes it from the stream, where PyAV cannot write, and not from the encoder. So room is kept in
the track's header while a file is written, in the guise of a name that ends in spaces, and is filled once the
file is closed. The format: RFC 8794 (EBML) and RFC 9559 (Matroska).
"""

from __future__ import annotations

import zlib
from fractions import Fraction
from pathlib import Path

import av

from pipeline.ebml import Element, elements, inside

FORMATS = frozenset({"matroska", "webm"})
"""FFmpeg's names of the containers that this concerns."""

_ROOM = 24  # bytes
_HEAD = 1 << 20  # bytes of a file in which its tracks are looked for
SEGMENT, TRACKS, _ENTRY, _VIDEO = 0x18538067, 0x1654AE6B, 0xAE, 0xE0
_NAME, _CRC, _VOID = 0x536E, 0xBF, 0xEC
_WIDTH, _HEIGHT, _UNIT = 0x54B0, 0x54BA, 0x54B2
_ASPECT_RATIO = 3  # code for width and height as a ratio, not pixels


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
        for tracks in inside(data, SEGMENT, TRACKS):
            changed = with_elements(data, tracks, shown)
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


def with_elements(data: bytes, tracks: Element, shown: bytes) -> bytes | None:
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


def _number(id_: int, value: int) -> bytes:
    return _element(id_, value.to_bytes(max((value.bit_length() + 7) // 8, 1)))


def _element(id_: int, content: bytes) -> bytes:
    length = 1
    while len(content) >= (1 << 7 * length) - 1:
        length += 1
    size = (len(content) | 1 << 7 * length).to_bytes(length)
    return id_.to_bytes((id_.bit_length() + 7) // 8) + size + content
