"""Control of a played source: from any thread, without waiting."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from time import monotonic

from model.errors import ConfigError
from pipeline.live.playing.pace import Pace
from pipeline.sources.base import SourceInfo

SLOWEST, FASTEST = 0.1, 8.0
"""Limits of the speed at which something is played; 1 is its own."""

_SLACK = Fraction(1, 10**6)  # seconds; a position as a float may be a little before its own frame
_MOST_STEPS = 5  # that wait; a key that is held asks for more than can be decoded meanwhile


class PlaybackAction(Enum):
    """The next action of a played source."""

    READ = "read ahead"
    GIVE = "give the frame that was read ahead, or read it"
    BACK = "give the frame before the present one"
    AGAIN = "give the present frame once more"
    SEEK = "give the frame that is shown at a time"


@dataclass(frozen=True)
class PlaybackCommand:
    """One thing to do. time: for SEEK, in the source's own seconds."""

    action: PlaybackAction
    time: Fraction = Fraction(0)


class Playback:
    """Controls one played source. Everything may be called from any thread at any time, and returns at once.

    Positions are seconds from the first frame. At its end a source waits, paused, for what comes next.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()  # guards all that follows
        self._playing = True
        self._speed = 1.0
        self._loop = False
        self._target: Fraction | None = None
        self._steps = 0
        self._again = False
        self._shut = False
        self._seekable = False
        self._told_duration: Fraction | None = None
        self._start: Fraction | None = None
        self._time = Fraction(0)
        self._at_end = False
        self._round = 0  # frames since the last beginning, by a loop or the first
        self._pace = Pace()

    @property
    def playing(self) -> bool:
        """True while frames follow one another; False when paused, and at the end."""
        with self._changed:
            return self._playing

    @property
    def at_end(self) -> bool:
        """True if the newest frame is the last one."""
        with self._changed:
            return self._at_end

    @property
    def seekable(self) -> bool:
        """True if `seek`, `loop` and steps back have an effect."""
        with self._changed:
            return self._seekable

    @property
    def position(self) -> float:
        """The position of the newest frame; 0 before there is one."""
        with self._changed:
            return float(self._passed())

    @property
    def duration(self) -> float | None:
        """Seconds from the first frame to the end, as far as is known by now; None when it is not."""
        with self._changed:
            if self._told_duration is None:
                return float(self._passed()) if self._at_end else None
            return float(max(self._told_duration, self._passed()))

    @property
    def speed(self) -> float:
        """Factor on the speed of the time stamps, SLOWEST to FASTEST; takes effect at once."""
        with self._changed:
            return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        """Raises ConfigError outside the limits."""
        if not SLOWEST <= speed <= FASTEST:
            raise ConfigError(f"expected a speed from {SLOWEST:g} to {FASTEST:g}, got {speed:g}")
        with self._changed:
            self._speed = speed
            self._changed.notify_all()

    @property
    def loop(self) -> bool:
        """True if playback starts over after the last frame, where there are more than one."""
        with self._changed:
            return self._loop

    @loop.setter
    def loop(self, loop: bool) -> None:
        """Holds from the next end on."""
        with self._changed:
            self._loop = loop

    def play(self) -> None:
        """Resume playback; at the end, start over."""
        with self._changed:
            if self._at_end and self._seekable:
                self._target = Fraction(0)
            elif self._at_end or self._playing:
                return
            self._playing = True
            self._steps = 0
            self._pace.restart()
            self._changed.notify_all()

    def pause(self) -> None:
        """Stay at the present frame."""
        with self._changed:
            self._playing = False
            self._steps = 0
            self._changed.notify_all()

    def toggle(self) -> None:
        """Pause what plays, play what is paused."""
        with self._changed:
            (self.pause if self._playing else self.play)()

    def step(self, count: int) -> None:
        """Pause, and give so many frames further on or, where `count` is negative, further back, one by one.

        A few steps may wait; what is asked for beyond that is left out.
        """
        with self._changed:
            self._playing = False
            fewest = -_MOST_STEPS if self._seekable else 0
            self._steps = max(fewest, min(self._steps + count, _MOST_STEPS))
            self._changed.notify_all()

    def seek(self, seconds: float) -> None:
        """Give the frame that is shown at this position, and go on playing there if it plays.

        Of several calls that come faster than they can be followed the last one counts.
        """
        target = max(Fraction(seconds), Fraction(0)) + _SLACK
        with self._changed:
            if self._seekable:
                self._target = target
                self._steps = 0
                self._changed.notify_all()

    def again(self) -> None:
        """Give the present frame once more, also while paused: something about its treatment has changed."""
        with self._changed:
            self._again = True
            self._changed.notify_all()

    # The methods that follow are for the played source alone.

    def attach(self, info: SourceInfo, seekable: bool) -> None:
        """Set the source that is played."""
        with self._changed:
            self._told_duration = info.duration
            self._seekable = seekable

    def command(self, upcoming: Fraction | None) -> PlaybackCommand | None:
        """Wait for the next command; None once playback is over.

        upcoming: presentation time of the frame that was read ahead; None without one
        """
        with self._changed:
            while not self._shut:
                command = self._asked_for()
                if command is not None:
                    return command
                left = self._left(upcoming)
                if left is not None and left <= 0:
                    return PlaybackCommand(PlaybackAction.READ if upcoming is None else PlaybackAction.GIVE)
                self._changed.wait(left)
            return None

    def given(self, time: Fraction) -> None:
        """Note that the frame of this presentation time is the present one."""
        with self._changed:
            self._start = time if self._start is None else self._start
            self._time = time
            self._round += 1
            self._pace.given(time, self._speed, monotonic())

    def ended(self) -> Fraction | None:
        """Note the end of the source. Returns the time at which to go on, or None to stay at the end."""
        with self._changed:
            if (
                self._loop
                and self._playing
                and self._seekable
                and self._start is not None
                and self._round > 1
            ):
                self._round = 0
                self._pace.wrap(self._start)
                return self._start
            self._playing = False
            self._at_end = True
            self._steps = 0
            return None

    def shut(self) -> None:
        """End playback: `command` returns None from now on."""
        with self._changed:
            self._shut = True
            self._changed.notify_all()

    def _asked_for(self) -> PlaybackCommand | None:
        """Return the oldest pending request, once; the first request is for the first frame."""
        if self._start is None:
            return None if self._at_end else PlaybackCommand(PlaybackAction.GIVE)
        if self._target is not None:
            time, self._target = self._start + self._target, None
            self._leave_end()
            return PlaybackCommand(PlaybackAction.SEEK, time)
        if self._steps and (step := self._one_step()) is not None:
            return step
        if self._again:
            self._again = False
            return PlaybackCommand(PlaybackAction.AGAIN)
        return None

    def _one_step(self) -> PlaybackCommand | None:
        if self._steps < 0:
            self._steps += 1
            self._leave_end()
            return PlaybackCommand(PlaybackAction.BACK)
        if self._at_end:
            self._steps = 0
            return None
        self._steps -= 1
        return PlaybackCommand(PlaybackAction.GIVE)

    def _leave_end(self) -> None:
        self._at_end = False
        self._pace.restart()

    def _left(self, upcoming: Fraction | None) -> float | None:
        """Seconds until the next frame is to be read or given; None while nothing is to be done."""
        if not self._playing:
            return None
        return 0.0 if upcoming is None else self._pace.due(upcoming, self._speed) - monotonic()

    def _passed(self) -> Fraction:
        return Fraction(0) if self._start is None else self._time - self._start
