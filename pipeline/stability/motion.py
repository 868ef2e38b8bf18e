"""Motion of a video's picture from frame to frame, estimated once for all measures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.stability.flow import SAME_SHOT, Correspondence, FlowEstimator, Luminance, luminance

LONGEST_STEP = 1.0
"""Seconds; frames farther apart are not compared: too much may have happened."""


@dataclass(frozen=True, eq=False)
class Motion:
    """The motion of one frame's picture.

    grid:  (height, width) px of the luminance picture that it was found on
    moved: from this frame to the one before, on that grid; None for a video's first frame, and where the
           frame before shows another shot
    """

    grid: tuple[int, int]
    moved: Correspondence | None


@dataclass(frozen=True, eq=False)
class _Seen:
    image_size: tuple[int, int]
    time: float
    picture: Luminance


class MotionEstimator:
    """Takes a video's frames in their order; it keeps the last picture. Not shared between threads."""

    def __init__(self) -> None:
        self._flow = FlowEstimator()
        self._last: _Seen | None = None

    def __call__(self, image: NDArray[np.uint8], time: float) -> Motion:
        """The next frame's motion.

        image: [H, W, 3] uint8 BGR
        time:  seconds, the frame's own; where it goes back, or on by more than `LONGEST_STEP`, or where the
               size changes, a new shot begins
        """
        now = _Seen((image.shape[0], image.shape[1]), time, luminance(image))
        last, self._last = self._last, now
        return Motion((now.picture.shape[0], now.picture.shape[1]), self._moved(last, now))

    def _moved(self, last: _Seen | None, now: _Seen) -> Correspondence | None:
        if last is None or last.image_size != now.image_size:
            return None
        if not 0 <= now.time - last.time <= LONGEST_STEP:
            return None
        moved = self._flow(last.picture, now.picture)
        return moved if moved.share_known >= SAME_SHOT else None
