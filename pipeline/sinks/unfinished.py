"""Parts of mp4 and mov that a killed program or a loss of power left in fragments, made ordinary files."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av

from model.errors import SinkError
from pipeline.sinks.formats import CONTAINERS
from pipeline.sinks.part_file import PartFile
from pipeline.sinks.recording import movie_timescale
from pipeline.sinks.stream_choice import add_copy, open_media
from pipeline.sinks.video_check import VideoFacts, read_facts
from pipeline.sources.demuxing import packets_of


def make_whole(part: Path) -> bool:
    """Rewrite a part whose fragments were never joined, packet by packet, with an index of its own.

    The new file takes the old one's place in one step, and only if every packet and time stamp is in it.
    Returns whether it did; a part that is whole, of another kind, empty or damaged stays as it is. Never
    raises.
    """
    try:
        container = CONTAINERS.get(part.suffix.lower())
        if container is None or not container.exact or not _is_in_fragments(part):
            return False
        target = PartFile(part, overwrite=True)
    except (SinkError, OSError):
        return False
    is_whole = False
    try:
        before = read_facts(part)
        _copy(part, target.part, container.format, before.unit)
        if before.ticks and _are_equal(before, read_facts(target.part)):
            target.publish()
            is_whole = True
    except (av.error.FFmpegError, SinkError, OSError, ValueError):  # ValueError: PyAV copies no such codec
        return False
    finally:
        if not is_whole:
            target.discard()
    return is_whole


def _copy(source: Path, target: Path, kind: str, unit: Fraction) -> None:
    options = {"movie_timescale": str(movie_timescale(unit))}
    with open_media(source) as read, av.open(str(target), "w", kind, container_options=options) as written:
        written.metadata.update(read.metadata)
        pairs = {stream.index: add_copy(written, stream) for stream in read.streams}
        for stream in read.streams:
            pairs[stream.index].metadata.update(stream.metadata)
        for packet in packets_of(read):
            if packet.size:
                packet.stream = pairs[packet.stream_index]
                written.mux(packet)


def _are_equal(one: VideoFacts, other: VideoFacts) -> bool:
    """Return True if two files hold the same packets, with the same times of their frames."""
    times = [[tick * facts.unit for tick in facts.ticks] for facts in (one, other)]
    return times[0] == times[1] and (one.packets, one.sizes, one.aspect) == (
        other.packets,
        other.sizes,
        other.aspect,
    )


def _is_in_fragments(part: Path) -> bool:
    """Return True if a movie fragment stands beside the movie's box; finished files have none there."""
    with part.open("rb") as file:
        return b"moof" in set(_boxes(file))


def _boxes(file: BinaryIO) -> Iterator[bytes]:
    """The kinds of the boxes of the top level (ISO/IEC 14496-12, section 4.2), as far as the file goes."""
    end = file.seek(0, 2)
    at = 0
    while at + 8 <= end:
        file.seek(at)
        head = file.read(16)
        size, kind = int.from_bytes(head[:4]), head[4:8]
        yield kind
        if size == 1:
            size = int.from_bytes(head[8:16])
        if size < 8:  # up to the end, or none
            return
        at += size
