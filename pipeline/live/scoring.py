"""How still the masks of both sides of a comparison are, measured beside the picture."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from statistics import fmean
from time import monotonic
from typing import TYPE_CHECKING

from model.detections import Detections
from pipeline.frame import Frame, Result

if TYPE_CHECKING:
    from pipeline.stability.meter import StabilityMeter
    from pipeline.stability.records import FrameScore

RECENT = 5.0  # seconds that are looked back, by the clock of who watches: a film may begin again meanwhile
_MOST_FRAMES = 2000  # that a meter measures before another one takes its place: it keeps numbers of each
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
        sides, measured = (_Side(), _Side()), -1
        burst, worked = 0, 0.0
        while (given := self._next()) is not None:
            if given.round != measured:
                sides, measured = (_Side(), _Side()), given.round
            began = monotonic()
            try:
                scores = _measure(sides, given)
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
    """One frame's figures. follows: whether it came right after the one that was measured before it."""

    score: FrameScore
    captured_at: float
    follows: bool


class _Side:
    """The meter of one side, and its newest figures."""

    def __init__(self) -> None:
        self._meter: StabilityMeter | None = None
        self._count = 0
        self._number = 0
        self._recent: deque[_Measured] = deque()

    def add(self, number: int, frame: Frame, detections: Detections) -> RunningScore:
        """Measure one more frame. Raises ValueError as `StabilityMeter.add` does."""
        from pipeline.stability.meter import StabilityMeter

        if self._meter is None or self._count == _MOST_FRAMES:
            self._meter, self._count = StabilityMeter(), 0
        follows, self._number = number == self._number + 1, number
        time, recent = float(frame.time), self._recent
        if recent and time == recent[-1].score.time:  # a picture that stands still comes again
            return _summed(recent)
        recent.append(_Measured(self._meter.add(frame.image, detections, time), frame.captured_at, follows))
        self._count += 1
        while frame.captured_at - recent[0].captured_at > RECENT:
            recent.popleft()
        return _summed(recent)


def _summed(measured: Collection[_Measured]) -> RunningScore:
    """The figures of several frames in a row, at least one, as those of all of them."""
    captured = [one.captured_at for one in measured]
    moments = [moment for one in measured for moment in one.score.moments]
    followed = [moment for one in measured if one.follows for moment in one.score.moments]
    return RunningScore(
        frames=len(measured),
        seconds=captured[-1] - captured[0],
        jitter=_mean(moment.jitter for moment in followed),
        boundary_jitter=_mean(moment.boundary_jitter for moment in followed),
        gaps=sum(moment.missing_before > 0 for moment in moments),
        id_changes=sum(moment.replaced is not None for moment in moments),
        coverage=sum(one.score.masks > 0 for one in measured) / len(measured),
    )


def _measure(sides: tuple[_Side, _Side], given: _Given) -> Scores:
    frame, other = given.result.frame, given.result.other
    assert other is not None, "only what has another side is measured"
    left, right = sides
    return left.add(given.number, frame, given.result.detections), right.add(given.number, frame, other)


def _mean(figures: Iterable[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return fmean(known) if known else None
