"""Reading a source to its end, for tests."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pipeline.frame import Frame
from pipeline.sources.base import Source, SourceInfo
from pipeline.sources.video import open_video
from tests.clips import Picture, number_of


@dataclass(frozen=True)
class Reading:
    """All that a source gave."""

    info: SourceInfo
    frames: list[Frame]
    warnings: tuple[str, ...]

    @property
    def images(self) -> list[Picture]:
        return [frame.image for frame in self.frames]

    @property
    def numbers(self) -> list[int]:
        """The numbers that the pictures show."""
        return [number_of(frame.image) for frame in self.frames]

    @property
    def stamps(self) -> list[int]:
        return [frame.pts for frame in self.frames]

    @property
    def times(self) -> list[Fraction]:
        """Seconds, exact."""
        return [frame.time for frame in self.frames]


def read_all(source: Source, at_most: int = 10_000) -> Reading:
    """Everything up to the end; the source is closed then."""
    with closing(source):
        frames: list[Frame] = []
        while len(frames) < at_most and (frame := source.read()) is not None:
            frames.append(frame)
        return Reading(source.info, frames, source.warnings)


def read_video(path: Path, threads: int = 2) -> Reading:
    """All of a video file."""
    return read_all(open_video(path, threads=threads))
