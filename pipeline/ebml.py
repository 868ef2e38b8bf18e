"""The parts that Matroska and WebM files are made of: RFC 8794 (EBML)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Element:
    """A part of a file that has a name. Its content goes from `begin` to `end`, in bytes."""

    id: int
    begin: int
    end: int


def inside(data: bytes, outer: int, inner: int) -> Iterator[Element]:
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
    """Return the number of bytes of the variable-length number at a place; 0 where there is none."""
    first = data[at] if at < len(data) else 0
    return 9 - first.bit_length() if first else 0
