"""Completeness of a Matroska file, by the size in its header."""

from __future__ import annotations

_EBML, _SEGMENT = bytes.fromhex("1a45dfa3"), bytes.fromhex("18538067")


def segment_end(head: bytes) -> int | None:
    """Return the end of the segment of a file with these first bytes; None if it is not given.

    RFC 8794, sections 4 to 6; a file that was written live has a segment of unknown size.
    """
    if not head.startswith(_EBML):
        return None
    header = _size(head, len(_EBML))
    if header is None:
        return None
    begin = header[0] + header[1]
    if head[begin : begin + len(_SEGMENT)] != _SEGMENT:
        return None
    segment = _size(head, begin + len(_SEGMENT))
    return None if segment is None else segment[0] + segment[1]


def _size(data: bytes, at: int) -> tuple[int, int] | None:
    """The place behind a size of variable length, and the size; None where it is unknown or not there."""
    length = 9 - data[at].bit_length() if at < len(data) else 9
    if length > 8 or at + length > len(data):
        return None
    bits = 7 * length
    value = int.from_bytes(data[at : at + length]) & (1 << bits) - 1
    return None if value == (1 << bits) - 1 else (at + length, value)
