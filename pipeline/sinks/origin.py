"""Where the time of an output begins: one rule for all sinks, so that their stamps agree."""

from __future__ import annotations

from fractions import Fraction

from pipeline.frame import Frame
from pipeline.sources.base import SourceInfo


def origin_of(info: SourceInfo, first: Frame) -> Fraction:
    """The source's time, in seconds, that is 0 in the output.

    That of the first frame in a live source, whose stamps begin anywhere, and in a file that begins before
    0, where a video file cannot begin; otherwise the source's own 0.
    """
    return first.time if info.live or first.time < 0 else Fraction(0)
