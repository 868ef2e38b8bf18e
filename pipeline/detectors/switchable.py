"""The detector of a live view: networks and settings of one side or two, changed while frames come in."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from model.detections import no_detections
from pipeline.detectors.base import Detector, Pending
from pipeline.frame import Frame, Result
from pipeline.metrics.run import Metrics
from pipeline.tracking.options import FollowOptions

# torch is loaded with the first network: frames are shown before that
if TYPE_CHECKING:
    from model.instance_predictor import LoadedPredictor
    from pipeline.detectors.build import DetectorBuilder

Adopt = Callable[["LoadedPredictor"], None]
"""Makes ready for a network in the thread that uses it: PyTorch's threads are counted by thread."""


@dataclass(frozen=True, eq=False)
class _Side:
    """The settings of one side. predictor: None to detect nothing; follow: None to track nothing."""

    predictor: LoadedPredictor | None = None
    follow: FollowOptions | None = None


@dataclass(frozen=True, eq=False)
class _Sides:
    """The settings of both sides; no right one where nothing is compared."""

    left: _Side = _Side()
    right: _Side | None = None
    inspect: bool = False


class SwitchableDetector:
    """Detects in every frame by the left side's settings and, while there is a right side, by its too.

    Frames pass with nothing found until a network is there. The right side's detections come as
    `Result.other`. One side works after the other, for both may be on one engine; where they are, they share
    its outputs (`pipeline.detectors.shared`). Everything but `submit` may be called from any thread, holds
    from the next batch on and returns at once.

    One batch is on its way at a time: somebody watches, so that the age of the newest frame counts more than
    the number of frames, and no batch of a former network is left at a change. Tracks and their ids go on
    when the network or its options change, and when those of tracking do while the tracker is the same one.

    A frame that comes again, because something about its treatment has changed, is not detected in again
    unless the detection has changed: a picture that stands still keeps its tracks.
    """

    slots = 1

    def __init__(
        self,
        metrics: Metrics,
        adopt: Adopt | None = None,
        on_failure: Callable[[Exception], None] | None = None,
    ) -> None:
        """adopt: called before a network's first batch; on_failure: gets what the right side has raised,
        which ends the comparison and nothing else. Without it that is raised, as from the left side."""
        self._metrics = metrics
        self._adopt = adopt
        self._on_failure = on_failure
        self._lock = threading.Lock()
        self._wanted = _Sides()
        # these belong to the thread that submits
        self._used = self._wanted
        self._left = _Slot(metrics, adopt)
        self._right: _Slot | None = None
        self._last: Result | None = None

    @property
    def inspect(self) -> bool:
        """True if results carry what the left network computes on the way; see `DetectorBuilder.build`."""
        return self._wanted.inspect

    @inspect.setter
    def inspect(self, wanted: bool) -> None:
        """Switch inspection on or off, from the next batch on."""
        with self._lock:
            self._wanted = dataclasses.replace(self._wanted, inspect=wanted)

    def use(self, predictor: LoadedPredictor | None, follow: FollowOptions | None = None) -> None:
        """Detect with this one, on the left side where there are two; the one before is let go of.

        predictor: None to detect nothing; follow: how instances are tracked, None for not at all. No other
        thread may start its engine while this detector does. Raises ConfigError on an unknown option.
        """
        side = _checked(predictor, follow)
        with self._lock:
            self._wanted = dataclasses.replace(self._wanted, left=side)

    def compare(self, predictor: LoadedPredictor | None, follow: FollowOptions | None = None) -> None:
        """Detect with this one on the right side; None ends the comparison. See `use`."""
        side = None if predictor is None else _checked(predictor, follow)
        with self._lock:
            if side is not None or self._wanted.right is not None:
                self._wanted = dataclasses.replace(self._wanted, right=side)

    def submit(self, frames: Sequence[Frame]) -> Pending:
        """See `Detector.submit`."""
        wanted = self._wanted
        if wanted is not self._used:
            self._take(wanted)
        if (known := self._known(frames)) is not None:
            return lambda: [known]
        left, right = self._left.detector.submit(frames), self._right
        return lambda: self._collect(frames, left, right)

    def _take(self, wanted: _Sides) -> None:
        self._last = None
        self._used = wanted
        left, right = wanted.left, wanted.right
        if right is None:
            self._right = None  # with its tracks: another comparison begins anew
        elif left.predictor is not None and right.predictor is not None and not _skips(left):
            from pipeline.detectors.shared import shared

            one, other = shared(left.predictor, right.predictor)
            left, right = _Side(one, left.follow), _Side(other, right.follow)
        self._left.take(left, wanted.inspect)
        if right is not None:
            self._right = self._right or _Slot(Metrics(), self._adopt)
            self._right.take(right)

    def _known(self, frames: Sequence[Frame]) -> Result | None:
        """Return the last frame's result, where this is the same one and the detection has not changed."""
        last = self._last
        if last is None or len(frames) != 1:
            return None
        (frame,) = frames
        same = frame.image is last.frame.image and frame.pts == last.frame.pts
        return dataclasses.replace(last, frame=frame) if same else None

    def _collect(self, frames: Sequence[Frame], left: Pending, right: _Slot | None) -> list[Result]:
        results = left()
        if right is not None:
            results = self._with_others(results, frames, right.detector)
        self._last = results[-1]
        return results

    def _with_others(self, results: list[Result], frames: Sequence[Frame], right: Detector) -> list[Result]:
        begun = monotonic()
        try:
            others = right.submit(frames)()
        except Exception as error:
            if self._on_failure is None:
                raise
            if self._drop_right():
                self._on_failure(error)
            return results
        self._metrics.add_now("masks", frames[0].index, begun)
        return [
            dataclasses.replace(result, other=other.detections)
            for result, other in zip(results, others, strict=True)
        ]

    def _drop_right(self) -> bool:
        """End the comparison that goes on; False where another one was chosen, or none, meanwhile."""
        with self._lock:
            if self._wanted.right is not self._used.right:
                return False
            self._wanted = dataclasses.replace(self._wanted, right=None)
            return True


def _skips(side: _Side) -> bool:
    """Return whether a side's network does not look at every frame."""
    return side.follow is not None and side.follow.skips


def _checked(predictor: LoadedPredictor | None, follow: FollowOptions | None) -> _Side:
    if follow is not None:
        follow.check()
    return _Side(predictor, follow)


class _Slot:
    """The place of one side's detector, which is built anew at every change."""

    def __init__(self, metrics: Metrics, adopt: Adopt | None) -> None:
        self.detector: Detector = _Nothing()
        self._metrics = metrics
        self._adopt = adopt
        self._builder: DetectorBuilder | None = None

    def take(self, side: _Side, inspect: bool = False) -> None:
        """Detect by these settings."""
        if side.predictor is None:
            self.detector = _Nothing()
            return
        from pipeline.detectors.build import DetectorBuilder

        self._builder = self._builder or DetectorBuilder(self._metrics)
        if self._adopt is not None:
            self._adopt(side.predictor)
        self.detector = self._builder.build(side.predictor, side.follow, inspect=inspect)


class _Nothing:
    """Finds nothing."""

    slots = 1

    def submit(self, frames: Sequence[Frame]) -> Pending:
        """See `Detector.submit`."""
        return lambda: [Result(frame, no_detections(frame.size, ())) for frame in frames]
