"""The entry of a video track in mp4, mov and Matroska files, for what PyAV does not hand on from it."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader

import av

from pipeline.ebml import Element, elements, inside

VIDEO = 0xE0
"""The element of a Matroska track that has its size."""

_HEAD = 1 << 20  # bytes of a Matroska file in which its tracks are looked for
_SEGMENT, _TRACKS, _ENTRY = 0x18538067, 0x1654AE6B, 0xAE
_SAMPLE_ENTRY = 78  # bytes of one of a video, before the boxes in it (ISO/IEC 14496-12, 12.1.3)

_Box = tuple[bytes, int, int]


def matroska_entry(file: BufferedReader, stream: av.VideoStream) -> tuple[bytes, list[Element]]:
    """Return the first bytes of a Matroska file, and the elements in them that describe a stream.

    Streams are told by their place among those of video: FFmpeg keeps the order of the tracks, not their
    numbers.
    """
    data, number = file.read(_HEAD), stream.container.streams.video.index(stream)
    for tracks in inside(data, _SEGMENT, _TRACKS):
        entries = [
            list(elements(data, entry.begin, entry.end))
            for entry in elements(data, tracks.begin, tracks.end)
            if entry.id == _ENTRY
        ]
        videos = [entry for entry in entries if any(part.id == VIDEO for part in entry)]
        if number < len(videos):
            return data, videos[number]
    return data, []


def mp4_entry(file: BufferedReader, stream: av.VideoStream) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of the boxes in the sample entry of a stream of an mp4 or mov file.

    Raises OSError and ValueError where the file is damaged.
    """
    size = file.seek(0, 2)
    for track in _find(file, [(b"", 0, size)], b"moov", b"trak"):
        header = next(_find(file, [track], b"tkhd"), None)
        if header is None or _track_id(file, header) != stream.id:
            continue
        for described in _find(file, [track], b"mdia", b"minf", b"stbl", b"stsd"):
            entry = next(_boxes(file, described[1] + 8, described[2]), None)
            if entry is None:
                continue
            for kind, begin, end in _boxes(file, entry[1] + _SAMPLE_ENTRY, entry[2]):
                yield kind, _read(file, begin, end - begin) if end > begin else b""


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
