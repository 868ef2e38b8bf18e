"""Small videos whose track says more than PyAV can write."""

from __future__ import annotations

from pathlib import Path

import av

from pipeline.ebml import inside
from pipeline.sinks import matroska
from tests.clips import write_clip


def matroska_with(path: Path, told: bytes, **clip: object) -> None:
    """Write a clip with elements in the video element of its track, in the room that is kept for a name."""
    write_clip(path, codec="mpeg4", **clip)
    with av.open(str(path)) as plain, av.open(str(path.with_suffix(".tmp")), "w", "matroska") as output:
        stream = output.add_stream_from_template(plain.streams.video[0])
        matroska.keep_room(stream)
        for packet in plain.demux(video=0):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    data = path.with_suffix(".tmp").read_bytes()
    (tracks,) = inside(data, matroska.SEGMENT, matroska.TRACKS)
    content = matroska.with_elements(data, tracks, told)
    assert content is not None
    path.write_bytes(data[: tracks.begin] + content + data[tracks.end :])


def mp4_with(path: Path, box: bytes, **clip: object) -> None:
    """Write a clip with a box in its sample entry, by which every box around it grows."""
    write_clip(path, codec="mpeg4", **clip)
    data = path.read_bytes()
    entry = data.index(b"mp4v") - 4
    end = entry + int.from_bytes(data[entry : entry + 4])
    assert data.index(b"mdat") < entry, "offsets in front of what grows stay"
    grown = bytearray(data[:end] + box + data[end:])
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"mp4v"):
        at = data.rindex(kind, 0, entry + 8) - 4
        grown[at : at + 4] = (int.from_bytes(grown[at : at + 4]) + len(box)).to_bytes(4)
    path.write_bytes(bytes(grown))
