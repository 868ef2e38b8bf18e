"""Times at which the frames of a played source are due."""

from __future__ import annotations

import math
from fractions import Fraction

_LATE = 0.25  # seconds that are caught up with; after a longer delay all later frames are late by as much


class Pace:
    """Keeps time from one frame to the next, so that neither rounding nor a change of speed adds up."""

    def __init__(self) -> None:
        self._time: Fraction | None = None
        self._at = 0.0
        self._interval = Fraction(1, 25)

    def due(self, time: Fraction, speed: float) -> float:
        """Return when the frame of this time is due, in seconds of `time.monotonic()`; maybe past."""
        return -math.inf if self._time is None else self._at + float(time - self._time) / speed

    def given(self, time: Fraction, speed: float, now: float) -> None:
        """Note that a frame was given."""
        due = self.due(time, speed)
        if self._time is not None and time > self._time:
            self._interval = time - self._time
        self._at = due if now - _LATE < due <= now else now
        self._time = time

    def restart(self) -> None:
        """The next frame is due at once, whichever it is."""
        self._time = None

    def wrap(self, start: Fraction) -> None:
        """The frame of the time `start` follows the last one as that did the one before."""
        if self._time is not None:
            self._time = start - self._interval
