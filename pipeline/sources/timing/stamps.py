"""Time stamps that only ever grow, whatever a file or a stream says."""

from __future__ import annotations

from fractions import Fraction

from pipeline.sources.warning_log import WarningLog

JUMP = 1  # seconds; a step back that is longer is no slip but the beginning of something else
USUAL_RATE = Fraction(25)

ANEW = "time stamps began anew {count} time(s) and were continued"

_FEW = 10  # moved stamps are few up to one in so many


class Stamps:
    """Gives every frame its time stamp: its own wherever possible.

    - A stamp that is later than its predecessor is kept exactly.
    - A missing one is that of the predecessor plus one frame at the nominal rate; 0 for the first frame.
    - One that is not later, by up to a second, becomes the predecessor's plus one unit, the least that keeps
      the order. The frames after it keep their own stamps, so that nothing drifts.
    - A leap back by more than a second is a new beginning (recordings joined together, a restarted camera):
      its frame follows its predecessor by one frame, and all after it keep their distances.
    """

    def __init__(self, time_base: Fraction, rate: Fraction | None, log: WarningLog) -> None:
        """time_base: seconds a unit of every stamp. rate: frames a second, nominal; None when unknown."""
        self.time_base = time_base
        self._step = max(1, round(1 / ((rate or USUAL_RATE) * time_base)))
        self._jump = round(JUMP / time_base)
        self._log = log
        self._last: int | None = None
        self._last_given: int | None = None
        self._shift = 0
        self._gap: int | None = None
        self._count = 0
        self._moved = 0
        self._carried = False

    @property
    def stand_alone(self) -> bool:
        """True if no stamp so far depends on earlier ones.

        None was missing, none began anew, and at most a few had to be moved.
        """
        return not self._carried and self._moved <= max(1, self._count // _FEW)

    def next(self, given: int | None) -> int:
        """The stamp of the next frame, for which the source gives this one, in units of `time_base`."""
        stamp = self._following() if given is None else self._placed(given)
        if given is None:
            self._carried = True
            self._log.add("{count} frame(s) without a time stamp were given one")
        elif self._last is not None and stamp <= self._last:
            self._log.add("{count} time stamp(s) that did not grow were moved")
            self._moved += 1
            stamp = self._last + 1
        self._count += 1
        self._last = stamp
        return stamp

    def resume(self, seconds: float) -> None:
        """The next frame comes from a new connection, this long after the last frame of the old one."""
        self._gap = max(1, round(seconds / self.time_base))

    def _following(self) -> int:
        return 0 if self._last is None else self._last + self._step

    def _placed(self, given: int) -> int:
        """A given stamp, shifted by what earlier new beginnings ask for."""
        if self._last is not None and self._gap is not None:
            self._shift = self._last + self._gap - given
            self._gap = None
        elif self._last is not None and self._leaps_back(given):
            self._shift = self._following() - given
            self._carried = True
            self._log.add(ANEW)
        self._last_given = given
        return given + self._shift

    def _leaps_back(self, given: int) -> bool:
        return self._last_given is not None and given < self._last_given - self._jump
