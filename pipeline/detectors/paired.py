"""The detector of what is shown live: one side, or two of the same frame that are to be compared."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from pipeline.detectors.base import Pending
from pipeline.detectors.switchable import Adopt, SwitchableDetector
from pipeline.frame import Frame, Result
from pipeline.metrics.run import Metrics
from pipeline.tracking.options import FollowOptions

if TYPE_CHECKING:
    from model.instance_predictor import LoadedPredictor


@dataclass(frozen=True, eq=False)
class _Side:
    """What one side is detected with."""

    predictor: LoadedPredictor | None = None
    follow: FollowOptions | None = None


@dataclass(frozen=True, eq=False)
class _Choice:
    """Both sides; no right one where nothing is compared."""

    left: _Side = _Side()
    right: _Side | None = None
    inspect: bool = False


class PairedDetector:
    """Detects in every frame by the left side's settings and, while there is a right side, by its too.

    The right side's detections come as `Result.other`. One side works after the other, for both may be on
    one engine; where they are, they share what the network says (`pipeline.detectors.shared`). Everything but
    `submit` may be called from any thread, holds from the next batch on and returns at once.

    A frame that comes again, because something about its treatment has changed, is not looked at again
    unless that is how instances are found: a picture that stands still keeps its tracks.
    """

    slots = 1

    def __init__(
        self,
        metrics: Metrics,
        adopt: Adopt | None = None,
        on_failure: Callable[[Exception], None] | None = None,
    ) -> None:
        """adopt: see `SwitchableDetector`; on_failure: gets what the right side has raised, which ends the
        comparison and nothing else. Without it that is raised, as what the left side raises is."""
        self._metrics = metrics
        self._on_failure = on_failure
        self._left = SwitchableDetector(metrics, adopt)
        self._adopt = adopt
        self._lock = threading.Lock()
        self._wanted = _Choice()
        # these belong to the thread that submits
        self._used = self._wanted
        self._right: SwitchableDetector | None = None
        self._last: Result | None = None

    @property
    def inspect(self) -> bool:
        """See `SwitchableDetector.inspect`; it is the left side's."""
        return self._wanted.inspect

    @inspect.setter
    def inspect(self, wanted: bool) -> None:
        """From the next batch on."""
        with self._lock:
            self._wanted = dataclasses.replace(self._wanted, inspect=wanted)

    def use(self, predictor: LoadedPredictor, follow: FollowOptions | None = None) -> None:
        """Detect with this one; on the left side, where there are two. See `SwitchableDetector.use`."""
        side = _Side(predictor, follow)
        with self._lock:
            self._wanted = dataclasses.replace(self._wanted, left=side)

    def compare(self, predictor: LoadedPredictor | None, follow: FollowOptions | None = None) -> None:
        """Detect with this one on the right side; None: there is none."""
        side = None if predictor is None else _Side(predictor, follow)
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
        left, right = self._left.submit(frames), self._right
        return lambda: self._collect(frames, left, right)

    def _drop_right(self) -> bool:
        """End the comparison that goes on; False where another one was chosen, or none, meanwhile."""
        with self._lock:
            if self._wanted.right is not self._used.right:
                return False
            self._wanted = dataclasses.replace(self._wanted, right=None)
            return True

    def _collect(
        self, frames: Sequence[Frame], left: Pending, right: SwitchableDetector | None
    ) -> list[Result]:
        results = left()
        if right is not None:
            results = self._with_others(results, frames, right)
        self._last = results[-1]
        return results

    def _with_others(
        self, results: list[Result], frames: Sequence[Frame], right: SwitchableDetector
    ) -> list[Result]:
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

    def _known(self, frames: Sequence[Frame]) -> Result | None:
        """The result of the last frame, where this is the same one and everything is looked for as it was."""
        last = self._last
        if last is None or len(frames) != 1:
            return None
        (frame,) = frames
        same = frame.image is last.frame.image and frame.pts == last.frame.pts
        return dataclasses.replace(last, frame=frame) if same else None

    def _take(self, wanted: _Choice) -> None:
        self._last = None
        self._used = wanted
        left, right = wanted.left.predictor, wanted.right.predictor if wanted.right is not None else None
        if right is not None and left is not None:
            from pipeline.detectors.shared import shared

            left, right = shared(left, right)
        _set(self._left, left, wanted.left.follow, wanted.inspect)
        if wanted.right is None:
            self._right = None  # with its tracks: another comparison begins anew
            return
        if self._right is None:
            self._right = SwitchableDetector(Metrics(), self._adopt)
        _set(self._right, right, wanted.right.follow)


def _set(
    detector: SwitchableDetector,
    predictor: LoadedPredictor | None,
    follow: FollowOptions | None,
    inspect: bool = False,
) -> None:
    """Have it so; what is so already stays, for every change builds another detector."""
    detector.use(predictor)
    if detector.follow != follow:
        detector.follow = follow
    if detector.inspect != inspect:
        detector.inspect = inspect
