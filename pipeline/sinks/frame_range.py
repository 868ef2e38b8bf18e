"""The number of frames, and the times of the first and the last."""

from __future__ import annotations

from fractions import Fraction

from pipeline.frame import Frame


class FrameRange:
    """Counts frames and keeps the first and last time; prints as "377 frames, 0.000 to 30.080 s"."""

    def __init__(self) -> None:
        self.count = 0
        self.first = self.last = Fraction(0)

    def add(self, frame: Frame) -> None:
        """Count one more frame."""
        self.add_time(frame.time)

    def add_time(self, time: Fraction) -> None:
        """Count one more frame that is shown at `time`, in seconds."""
        self.first = self.first if self.count else time
        self.last = time
        self.count += 1

    def __str__(self) -> str:
        if not self.count:
            return "no frames"
        plural = "s" * (self.count > 1)
        return f"{self.count} frame{plural}, {float(self.first):.3f} to {float(self.last):.3f} s"
