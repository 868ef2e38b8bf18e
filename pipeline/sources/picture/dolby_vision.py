"""Dolby Vision whose base layer is no usual video: its colours come out wrong without Dolby's own decoder."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

import av

from model.errors import SourceError
from pipeline.ebml import elements
from pipeline.sources.picture.track_entry import matroska_entry, mp4_entry

_KINDS = frozenset({b"dvcC", b"dvvC", b"dvwC"})
_MAPPING, _TYPE, _EXTRA = 0x41E4, 0x41E7, 0x41ED  # of Matroska's additions to blocks (RFC 9559)


def refuse_incompatible(path: Path, stream: av.VideoStream) -> None:
    """Raise SourceError where mp4, mov or Matroska tells that a stream is of profile 5 or 10.0."""
    profile = _incompatible_profile(path, stream)
    if profile is not None:
        raise SourceError(
            f"{path}: Dolby Vision of profile {profile}, whose colours cannot be decoded here; "
            "convert it to HDR10 or BT.709"
        )


def _incompatible_profile(path: Path, stream: av.VideoStream) -> int | None:
    kind = stream.container.format.name
    try:
        with path.open("rb") as file:
            if kind.startswith("matroska"):
                records = list(_of_matroska(file, stream))
            elif kind.startswith("mov"):
                records = [content for box, content in mp4_entry(file, stream) if box in _KINDS]
            else:
                records = []
    except (OSError, ValueError):  # whatever is wrong with it, the video may be well
        return None
    return next(filter(None, map(_incompatible, records)), None)


def _of_matroska(file: BufferedReader, stream: av.VideoStream) -> Iterator[bytes]:
    data, entry = matroska_entry(file, stream)
    for mapping in (part for part in entry if part.id == _MAPPING):
        found = {part.id: data[part.begin : part.end] for part in elements(data, mapping.begin, mapping.end)}
        if found.get(_TYPE, b"").lstrip(b"\0") in _KINDS:
            yield found.get(_EXTRA, b"")


def _incompatible(record: bytes) -> int | None:
    """Return the profile in a DOVIDecoderConfigurationRecord that has no compatible base layer, or None.

    Two bytes of version; 7 bits of profile, 6 of level, three flags; 4 bits of compatibility, 0 for none.
    """
    if len(record) < 5 or record[4] >> 4:
        return None
    profile = record[2] >> 1
    return profile if profile in (5, 10) else None
