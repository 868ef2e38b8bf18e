"""How still the masks of both sides of a comparison are, measured beside the picture."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from statistics import fmean
from time import monotonic
from typing import TYPE_CHECKING

from pipeline.frame import Result

if TYPE_CHECKING:
    from pipeline.stability.meter import StabilityMeter
    from pipeline.stability.motion import MotionEstimator
    from pipeline.stability.records import FrameScore

RECENT = 5.0  # seconds that are looked back, by the clock of who watches: a film may begin again meanwhile
_MOST_FRAMES = 2000  # that meters measure before others take their place: they keep numbers of each
_BURST = 4  # results that are measured in a row, for masks are compared from one frame to the very next
_BREATH = 3.0  # after them it rests as many times as long, so that the network gets the cores
_LONGEST_BREATH = 1.0  # seconds


@dataclass(frozen=True, eq=False)
class _Given:
    """A result to be measured. round: what is compared, counted; number: of the result, counted."""

    round: int
    number: int
    result: Result


@dataclass(frozen=True)
class RunningScore:
    """One side's last seconds, see `pipeline.stability`.

    frames:     that were measured; some are left out where measuring takes longer than the source gives time
    seconds:    from the capture of the first of them to that of the last
    jitter, boundary_jitter: means over all pairs of masks of frames that follow one another, 0..1; None
                where there were none
    gaps:       how often a track came back that had been missing
    id_changes: how often a track took another one's place
    coverage:   share of frames with a mask, 0..1
    """

    frames: int
    seconds: float
    jitter: float | None
    boundary_jitter: float | None
    gaps: int
    id_changes: int
    coverage: float


Scores = tuple[RunningScore, RunningScore]


class PairScorer:
    """Measures both sides of results, in a thread of its own, which the first one starts.

    `put` never waits: a result that comes while another one is measured waits for its turn, and gives way to
    a newer one. Both sides are always measured on the same frames. Any thread may call anything.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()  # guards all that follows
        self._waiting: _Given | None = None
        self._given = 0
        self._compared: object = None
        self._scores: Scores | None = None
        self._problem = ""
        self._round = 0  # a new one forgets what was measured
        self._ended = False
        self._thread: threading.Thread | None = None

    @property
    def scores(self) -> Scores | None:
        """Left and right; None before anything was measured."""
        with self._changed:
            return self._scores

    @property
    def problem(self) -> str:
        """Why nothing is measured, for people; empty when all is well."""
        with self._changed:
            return self._problem

    def put(self, result: Result, compared: object) -> None:
        """Measure this one, with its other side, soon. compared: what; anew wherever that is another one."""
        with self._changed:
            if compared != self._compared:
                self._compared = compared
                self._round += 1
                self._scores, self._problem = None, ""
            if self._ended or self._problem:
                return
            self._given += 1
            self._waiting = _Given(self._round, self._given, result)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="livemask-scorer", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def end(self) -> None:
        """Measure no more; returns at once. `join` waits for the thread."""
        with self._changed:
            self._ended = True
            self._waiting = None
            self._changed.notify_all()

    def join(self, timeout: float) -> bool:
        """Wait for the thread's end, at most `timeout` seconds; whether it has come."""
        if self._thread is not None:
            self._thread.join(max(timeout, 0.0))
        return not self.alive

    @property
    def alive(self) -> tuple[str, ...]:
        """The thread's name while it runs."""
        running = self._thread is not None and self._thread.is_alive()
        return (self._thread.name,) if running and self._thread is not None else ()

    def _work(self) -> None:
        sides, measured = _Sides(), -1
        burst, worked = 0, 0.0
        while (given := self._next()) is not None:
            if given.round != measured:
                sides, measured = _Sides(), given.round
            began = monotonic()
            try:
                scores = sides.add(given.number, given.result)
            except Exception as error:  # a figure that cannot be had must not take the picture along
                self._tell(given.round, None, f"Nothing can be measured: {error}")
                continue
            self._tell(given.round, scores, "")
            burst, worked = burst + 1, worked + monotonic() - began
            if burst == _BURST:
                self._rest(min(_BREATH * worked, _LONGEST_BREATH))
                burst, worked = 0, 0.0

    def _next(self) -> _Given | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting is not None or self._ended)
            given, self._waiting = self._waiting, None
            return None if self._ended else given

    def _rest(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._ended, seconds)

    def _tell(self, round_: int, scores: Scores | None, problem: str) -> None:
        with self._changed:
            if round_ == self._round:
                self._scores, self._problem = scores, problem


@dataclass(frozen=True)
class _Measured:
    """One frame's figures on both sides. follows: whether it came right after the one measured before it."""

    sides: tuple[FrameScore, FrameScore]
    time: float
    captured_at: float
    follows: bool


class _Sides:
    """The meters of both sides, which look at the same frames, and their newest figures."""

    def __init__(self) -> None:
        self._motion: MotionEstimator | None = None
        self._meters: tuple[StabilityMeter, ...] = ()
        self._count = 0  # of the frames that these have measured
        self._number = 0
        self._recent: deque[_Measured] = deque()

    def add(self, number: int, result: Result) -> Scores:
        """Measure one more frame. Raises ValueError as `StabilityMeter.add` does."""
        follows, self._number = number == self._number + 1, number
        frame, recent = result.frame, self._recent
        time = float(frame.time)
        if not recent or time != recent[-1].time:  # else it is a picture that stands still and comes again
            recent.append(_Measured(self._measured(result, time), time, frame.captured_at, follows))
            while frame.captured_at - recent[0].captured_at > RECENT:
                recent.popleft()
        return _summed(recent, 0), _summed(recent, 1)

    def _measured(self, result: Result, time: float) -> tuple[FrameScore, FrameScore]:
        from pipeline.stability.meter import StabilityMeter
        from pipeline.stability.motion import MotionEstimator

        if self._motion is None or self._count == _MOST_FRAMES:
            self._motion, self._meters, self._count = (
                MotionEstimator(),
                (StabilityMeter(), StabilityMeter()),
                0,
            )
        self._count += 1
        image, other = result.frame.image, result.other
        assert other is not None, "only what has another side is measured"
        motion = self._motion(image, time)
        left, right = self._meters
        return (
            left.add(image, result.detections, time, motion=motion),
            right.add(image, other, time, motion=motion),
        )


def _summed(measured: Collection[_Measured], side: int) -> RunningScore:
    """One side's figures of several frames in a row, at least one, as those of all of them."""
    captured = [one.captured_at for one in measured]
    scores = [one.sides[side] for one in measured]
    moments = [moment for score in scores for moment in score.moments]
    followed = [moment for one in measured if one.follows for moment in one.sides[side].moments]
    return RunningScore(
        frames=len(measured),
        seconds=captured[-1] - captured[0],
        jitter=_mean(moment.jitter for moment in followed),
        boundary_jitter=_mean(moment.boundary_jitter for moment in followed),
        gaps=sum(moment.missing_before > 0 for moment in moments),
        id_changes=sum(moment.replaced is not None for moment in moments),
        coverage=sum(score.masks > 0 for score in scores) / len(measured),
    )


def _mean(figures: Iterable[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return fmean(known) if known else None
