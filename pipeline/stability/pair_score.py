"""The running score of a comparison: how still the masks of both sides are, over the last seconds."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from statistics import fmean
from time import monotonic

from pipeline.frame import Result
from pipeline.stability.records import FrameScore, StabilitySummary

RECENT_FILM = 2.0  # seconds of a file's own time that are looked back
RECENT_LIVE = 5.0  # seconds by the clock: a film may begin again meanwhile
_MOST_FRAMES = 2000  # that meters measure live before others take their place: they keep numbers of each
_BURST = 4  # results that are measured in a row, for masks are compared from one frame to the very next
_BREATH = 3.0  # after them it rests as many times as long, so that the network gets the cores
_LONGEST_BREATH = 1.0  # seconds


@dataclass(frozen=True)
class RunningScore:
    """One side's last seconds, see `pipeline.stability`.

    frames:     that were measured; some are left out where measuring takes longer than the source gives time
    seconds:    from the first of them to the last
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


@dataclass(frozen=True)
class _Measured:
    """One frame's figures on both sides. at: seconds; follows: it came right after the one before it."""

    sides: tuple[FrameScore, FrameScore]
    time: float
    at: float
    follows: bool


class PairMeter:
    """Measures both sides of results, on the same frames. See `pipeline.stability`. One thread at a time."""

    def __init__(self, seconds: float, most_frames: int | None = None) -> None:
        """seconds: that the running score looks back; most_frames: after which the meters begin anew,
        None for never. The summaries are of the frames since then."""
        self._seconds = seconds
        self._most = most_frames
        self._recent: deque[_Measured] = deque()
        self._sums, self._pairs = [0.0, 0.0], [0, 0]  # of jitter, and of what it was measured on, by side
        self._begin()

    def _begin(self) -> None:
        # OpenCV is loaded once something is measured
        from pipeline.stability.meter import StabilityMeter
        from pipeline.stability.motion import MotionEstimator

        self._motion = MotionEstimator()
        self._meters = StabilityMeter(), StabilityMeter()
        self._count = 0  # of the frames that these have measured

    def add(self, result: Result, at: float, follows: bool = True) -> None:
        """Measure both sides of one more frame; one of the time of the last frame is left out.

        at:      seconds, by which it is decided what the last seconds are
        follows: the frame came right after the one that was measured before it

        Raises ValueError when masks or tracks are missing, see `StabilityMeter.add`.
        """
        time, recent = float(result.frame.time), self._recent
        if recent and time == recent[-1].time:  # a picture that stands still and comes again
            return
        measured = _Measured(self._measure(result, time), time, at, follows)
        for side, score in enumerate(measured.sides):
            jitters = [moment.jitter for moment in score.moments if moment.jitter is not None]
            self._sums[side] += sum(jitters)
            self._pairs[side] += len(jitters)
        recent.append(measured)
        # time goes backwards where a source begins anew
        while not 0 <= at - recent[0].at <= self._seconds:
            recent.popleft()

    def _measure(self, result: Result, time: float) -> tuple[FrameScore, FrameScore]:
        if self._count == self._most:
            self._begin()
        image, other = result.frame.image, result.other
        assert other is not None, "only what has another side is measured"
        self._count += 1
        motion = self._motion(image, time)
        left, right = self._meters
        return (
            left.add(image, result.detections, time, motion=motion),
            right.add(image, other, time, motion=motion),
        )

    @property
    def scores(self) -> Scores | None:
        """Scores of the last seconds, left and right; None before anything was measured."""
        return (_summed(self._recent, 0), _summed(self._recent, 1)) if self._recent else None

    @property
    def means(self) -> tuple[float | None, float | None]:
        """The mean jitter of either side, 0..1, over all pairs of masks so far; None without any."""
        left, right = (s / n if n else None for s, n in zip(self._sums, self._pairs, strict=True))
        return left, right

    def summaries(self) -> tuple[StabilitySummary, StabilitySummary]:
        """Return the figures of both sides so far."""
        left, right = self._meters
        return left.summary(), right.summary()


@dataclass(frozen=True, eq=False)
class _Given:
    """A result to be measured. round: what is compared, counted; number: of the result, counted."""

    round: int
    number: int
    result: Result


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
        """A message about why nothing is measured; empty when all is well."""
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
        meter, measured = PairMeter(RECENT_LIVE, _MOST_FRAMES), -1
        last = 0
        burst, worked = 0, 0.0
        while (given := self._next()) is not None:
            if given.round != measured:
                meter, measured = PairMeter(RECENT_LIVE, _MOST_FRAMES), given.round
            began = monotonic()
            try:
                meter.add(given.result, given.result.frame.captured_at, given.number == last + 1)
            except Exception as error:  # a figure that cannot be had must not take the picture along
                self._tell(given.round, None, f"Nothing can be measured: {error}")
                continue
            last = given.number
            self._tell(given.round, meter.scores, "")
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


def _summed(measured: Collection[_Measured], side: int) -> RunningScore:
    """One side's figures of several frames in a row, at least one, as those of all of them."""
    times = [one.at for one in measured]
    scores = [one.sides[side] for one in measured]
    moments = [moment for score in scores for moment in score.moments]
    followed = [moment for one in measured if one.follows for moment in one.sides[side].moments]
    return RunningScore(
        frames=len(measured),
        seconds=times[-1] - times[0],
        jitter=_mean(moment.jitter for moment in followed),
        boundary_jitter=_mean(moment.boundary_jitter for moment in followed),
        gaps=sum(moment.missing_before > 0 for moment in moments),
        id_changes=sum(moment.replaced is not None for moment in moments),
        coverage=sum(score.masks > 0 for score in scores) / len(measured),
    )


def _mean(figures: Iterable[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return fmean(known) if known else None
