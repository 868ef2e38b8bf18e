"""A written video, read back and compared with what was meant to be written."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from pipeline.sinks.encoder import OutputStamps
from pipeline.sinks.frame_range import FrameRange
from pipeline.sinks.stream_choice import open_media
from pipeline.sinks.stream_copy import CopiedStream, StreamCopier
from pipeline.sources.demuxing import packets_of
from pipeline.sources.ffmpeg import reason

_ROUNDING = Fraction(1, 100)  # of the shape of pixels, which WebM counts in whole pixels of the picture


@dataclass(frozen=True)
class VideoFacts:
    """Facts about a video file, by its packets; nothing is decoded.

    ticks:   when each frame is shown, in units of the file, ascending; without those that players are told
             to drop
    unit:    of `ticks`, in seconds
    packets: how many packets each other stream has, by its index
    sizes:   how many bytes are in those of each
    aspect:  width of a pixel to its height
    error:   where reading ended early, why
    """

    ticks: array[int]
    unit: Fraction
    packets: Counter[int]
    sizes: Counter[int]
    aspect: Fraction = Fraction(1)
    error: str = ""

    @property
    def span(self) -> FrameRange:
        """The number of frames, and the times of the first and the last."""
        span = FrameRange()
        for tick in self.ticks:
            span.add_time(tick * self.unit)
        return span


def read_facts(path: Path) -> VideoFacts:
    """Read a video through. Whatever cannot be read is missing from the facts, and `error` says why."""
    ticks, packets, sizes, error = array("q"), Counter[int](), Counter[int](), ""
    unit, aspect = Fraction(0), Fraction(1)
    try:
        with open_media(path) as container:
            video = container.streams.video[0] if container.streams.video else None
            unit = (video.time_base if video else None) or unit
            aspect = (video.sample_aspect_ratio if video else None) or aspect
            for packet in packets_of(container):
                if video is not None and packet.stream_index == video.index:
                    if packet.size and packet.pts is not None and not packet.is_discard:
                        ticks.append(packet.pts)
                elif packet.size:
                    packets[packet.stream_index] += 1
                    sizes[packet.stream_index] += packet.size
    except (av.error.FFmpegError, OSError) as broken:
        error = reason(broken)
    return VideoFacts(array("q", sorted(ticks)), unit, packets, sizes, aspect, error)


def faults(facts: VideoFacts, stamps: OutputStamps, copied: Sequence[CopiedStream]) -> list[str]:
    """Return the differences of a file from what was written to it, which make it incomplete."""
    found = [f"cannot be read back: {facts.error}"] if facts.error else []
    written, there = stamps.ticks, facts.ticks
    if len(there) != len(written):
        found.append(f"{len(written)} frames were written, {len(there)} are there")
    elif moved := sum(a * facts.unit != b * stamps.unit for a, b in zip(there, written, strict=True)):
        found.append(f"{moved} of {len(written)} frames have another time stamp than was written")
    for stream in copied:
        packets = facts.packets[stream.target.index]
        missing = facts.sizes[stream.target.index] < stream.size
        # mp4 adds an empty one after the last subtitle, and cuts uncompressed sound into others
        if packets < stream.packets and missing:
            found.append(f"{stream.kind}: {stream.packets} packets were copied, {packets} are there")
    return found


def misshapen(facts: VideoFacts, aspect: Fraction) -> list[str]:
    """Return a problem if a file lacks the shape of its pixels, width to height, but for rounding."""
    if abs(facts.aspect / aspect - 1) < _ROUNDING:
        return []
    return [f"its pixels are {_ratio(aspect)}, which the file cannot tell: it says {_ratio(facts.aspect)}"]


def doubts(stamps: OutputStamps, copier: StreamCopier | None) -> list[str]:
    """Return problems of a file that is the best that could be made."""
    found = []
    if stamps.moved:
        found.append(f"{stamps.moved} frames had no time stamp of their own after the one before; moved")
    if copier is not None:
        lost = [s for s in copier.copied if s.unusable]
        found += [f"{s.kind}: {s.unusable} packets without a usable time stamp left out" for s in lost]
        if copier.broken:
            found.append(f"the source breaks off while streams are copied: {copier.broken}")
    return found


def remarks(stamps: OutputStamps, copier: StreamCopier | None) -> list[str]:
    """Return remarks besides frames and times: what was kept, left out and rounded."""
    told = []
    if copier is not None:
        if copier.copied:
            told.append(f"{_kinds(Counter(s.kind for s in copier.copied))} kept")
        if copier.chapters:
            told.append(f"{copier.chapters} chapter{'s' * (copier.chapters > 1)} kept")
        told += copier.dropped
    if stamps.worst:
        how = f"rounded to {stamps.unit} s{' or moved' if stamps.moved else ''}"
        told.append(f"time stamps {how}, by {float(stamps.worst) * 1000:.2f} ms at most")
    return told


def _ratio(value: Fraction) -> str:
    return f"{value.numerator}:{value.denominator}"


def _kinds(kinds: Counter[str]) -> str:
    """Return kinds of streams as text, such as "2 audio streams and subtitles"."""
    plain = {"subtitle": "subtitles"}
    return " and ".join(
        f"{count} {kind} streams" if count > 1 else plain.get(kind, kind) for kind, count in kinds.items()
    )
