"""The origin of an output's time: one rule for all sinks, so that their stamps agree."""

from __future__ import annotations

from fractions import Fraction

from pipeline.frame import Frame
from pipeline.sources.base import SourceInfo


def origin_of(info: SourceInfo, first: Frame) -> Fraction:
    """The source's time, in seconds, that is 0 in the output.

    That of the first frame in a live source, whose stamps begin anywhere. A file that begins at another time
    than 0 begins at 0 in the output, and what is in it keeps its distances: where the sound comes first, the
    first frame is as late behind it. Sound before 0 that only prepares what follows does not count.
    """
    if info.live:
        return first.time
    begin = min(info.start, first.time)
    return begin if begin > 0 or first.time < 0 else Fraction(0)


def told(info: SourceInfo, origin: Fraction) -> tuple[str, ...]:
    """Return a summary's words about an origin: none where it is 0, or the source's own time is unknown."""
    if not origin or info.live:
        return ()
    return (f"begins at {float(origin):.3f} s in the source, at 0 here",)
