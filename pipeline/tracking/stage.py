"""The tracking stage: the track of each instance of a frame, and its smoothed box, class and mask."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.frame import Frame
from pipeline.tracking import TRACKERS
from pipeline.tracking.base import TrackerInput
from pipeline.tracking.cuts import Scenes
from pipeline.tracking.options import FollowOptions
from pipeline.tracking.stabiliser import STRENGTHS, Stabiliser, Tracks


class Instances(NamedTuple):
    """The N instances of one frame before tracking."""

    boxes: NDArray[np.float32]  # [N, 4] x1 y1 x2 y2, pixels
    scores: NDArray[np.float32]  # [N]
    classes: NDArray[np.int64]  # [N]
    codes: NDArray[np.float32]  # [N, K] or [N, h, w], what describes the mask
    masks: NDArray[np.bool_] | None  # [N, h, w] on a coarse grid
    bodies: NDArray[np.float32] | None = None  # [N, 4], see `Tracks`; None where boxes only crop masks


class TrackingStage:
    """A tracker, a stabiliser or none, and the detection of scene cuts. One thread."""

    def __init__(self, options: FollowOptions) -> None:
        """Raises ConfigError on a choice that there is not."""
        options.check()
        self._options = options
        self._tracker = TRACKERS[options.tracker]()
        self._stabiliser = _stabiliser(options)
        self._scenes = Scenes()

    def change(self, options: FollowOptions) -> None:
        """Change the options, or note another network: tracks and ids stay as long as the tracker does.

        Smoothing begins anew: what describes a mask to one network says nothing to another. Raises
        ConfigError on a choice that there is not.
        """
        options.check()
        if options.tracker != self._options.tracker:
            self._tracker = TRACKERS[options.tracker]()
        self._options = options
        self._stabiliser = _stabiliser(options)

    @property
    def changes(self) -> bool:
        """True if boxes, classes and masks are smoothed too."""
        return self._stabiliser is not None

    def __call__(
        self, frame: Frame, now: Instances, start: float | NDArray[np.float32]
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_], Instances]:
        """The track of each instance, [N], whether it stays, [N], and what it looks like from now on.

        start: the score, 0..1, that an instance must exceed that is part of no track yet; one for all, or [N]
        """
        starts = np.broadcast_to(np.asarray(start, np.float32), now.scores.shape)
        if self._scenes.ended(frame):
            self._tracker.reset()
            if self._stabiliser is not None:
                self._stabiliser.reset()
        time = float(frame.time)
        scores, common = _on_one_scale(now.scores, starts)
        ids = self._tracker.update(TrackerInput(frame.size, now.boxes, scores, now.masks, time), common)
        stays = (ids >= 0) | (now.scores > starts)
        if self._stabiliser is not None:
            now = _smoothed(self._stabiliser, ids, now, frame)
        return ids, stays, now


def _on_one_scale(
    scores: NDArray[np.float32], starts: NDArray[np.float32]
) -> tuple[NDArray[np.float32], float]:
    """Scores [N] and what they are compared with, one number, for trackers that know one threshold only.

    Where thresholds differ, what lies below and above its own is stretched to below and above a half.
    """
    if len(starts) == 0:
        return scores, 1.0
    if (starts == starts[0]).all():
        return scores, float(starts[0])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        below, above = scores / starts / 2, 1 - (1 - scores) / (1 - starts) / 2
    return np.where(
        scores > starts, np.maximum(above, np.nextafter(np.float32(0.5), np.float32(1))), np.fmin(below, 0.5)
    ).astype(np.float32), 0.5


def _stabiliser(options: FollowOptions) -> Stabiliser | None:
    strength = STRENGTHS[options.stabilise]
    return None if strength is None else Stabiliser(strength)


def _smoothed(stabiliser: Stabiliser, ids: NDArray[np.int64], now: Instances, frame: Frame) -> Instances:
    """Instances of which those that are part of a track are smoothed."""
    rows = ids >= 0
    tracks = Tracks(
        ids=ids[rows],
        boxes=now.boxes[rows],
        codes=now.codes[rows],
        scores=now.scores[rows],
        classes=now.classes[rows],
        time=float(frame.time),
        image_size=frame.size,
        bodies=None if now.bodies is None else now.bodies[rows],
    )
    then = stabiliser(tracks)
    boxes, classes, codes = now.boxes.copy(), now.classes.copy(), now.codes.copy()
    boxes[rows], classes[rows], codes[rows] = then.boxes, then.classes, then.codes
    now = now._replace(boxes=boxes, classes=classes, codes=codes)
    if now.bodies is None or then.bodies is None:
        return now
    bodies = now.bodies.copy()
    bodies[rows] = then.bodies
    return now._replace(bodies=bodies)
