"""The figure to quote: how much of what should be on the screen stays still there."""

from __future__ import annotations

from collections.abc import Iterable


class Steadiness:
    """Two numbers a frame: how many masks are expected, and the sum of their 1 - jitter.

    Only frames that are compared with the one before count. An expected mask that is missing adds nothing to
    the sum, so that leaving masks out lowers the figure.
    """

    def __init__(self) -> None:
        self._expected: list[int] = []
        self._still: list[float] = []
        self._counts: list[bool] = []

    def begin(self, counts: bool) -> None:
        """The next frame; whether it counts even if no mask is expected in it: as 0."""
        self._expected.append(0)
        self._still.append(0.0)
        self._counts.append(counts)

    def expect(self, still: float) -> None:
        """One mask more is expected in this frame; its 1 - jitter, 0 where there is none to compare."""
        self._expected[-1] += 1
        self._still[-1] += still

    def missed(self, frames: Iterable[int]) -> None:
        """In these earlier frames one mask more was expected, and missing."""
        for frame in frames:
            self._expected[frame] += 1

    def value(self) -> float | None:
        """The mean over the frames of the mean over their expected masks, 0..1; None if no frame counts."""
        frames = [
            still / max(expected, 1)
            for still, expected, counts in zip(self._still, self._expected, self._counts, strict=True)
            if counts or expected
        ]
        return sum(frames) / len(frames) if frames else None
