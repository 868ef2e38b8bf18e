"""Measures how still masks are, frame by frame: the one class that a report needs. See DEFINITIONS.md."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from model.detections import Detections, MaskCrop
from pipeline.stability.accumulator import FrameMeasurement, VideoAccumulator
from pipeline.stability.flow import Correspondence
from pipeline.stability.frame_masks import FrameMasks, check, frame_masks, truth_objects
from pipeline.stability.id_switches import IdSwitchDetector
from pipeline.stability.jitter import Jitter, jitter
from pipeline.stability.motion import Motion, MotionEstimator
from pipeline.stability.records import FrameScore, StabilitySummary
from pipeline.stability.summary import summarise
from pipeline.stability.truth import assign


class StabilityMeter:
    """Takes a video's frames in their order and tells how still the masks are. Not shared between threads.

    It keeps the last frame's picture and masks, the masks of tracks that went in the last few frames, and a
    few numbers of each frame and track.
    """

    def __init__(self) -> None:
        self._motion = MotionEstimator()
        self._id_switches = IdSwitchDetector()
        self._totals = VideoAccumulator()
        self._last: FrameMasks | None = None

    def add(
        self,
        image: NDArray[np.uint8],
        detections: Detections,
        time: float,
        truth: NDArray[np.uint8] | None = None,
        motion: Motion | None = None,
    ) -> FrameScore:
        """Measure the next frame against the one before it.

        image:      [H, W, 3] uint8 BGR
        detections: with masks and track ids, of that frame; (H, W) is their `image_size`
        time:       seconds, the frame's own; see `MotionEstimator` for where a new shot begins
        truth:      [H, W] uint8 labels, 0 background, one value an object; the value is the object's
                    identity through the video. None: not known in this frame
        motion:     what a `MotionEstimator` says of this frame, so that several meters of one video find it
                    once. It gets the same frames as the meter, which is given its word for each or for none

        Raises ValueError when masks or track ids are missing, when an id occurs twice, or when the sizes do
        not agree; the frame is then not counted.
        """
        check(image, detections, truth)
        objects = truth_objects(truth)
        motion = motion or self._motion(image, time)
        seen = frame_masks(detections, objects, motion.grid)
        last, self._last = self._last, seen
        moved = motion.moved if last is not None else None
        if moved is None:
            self._id_switches.forget()
        replaced = self._id_switches.update(seen.masks, moved)
        measured = FrameMeasurement(
            time=time,
            compared=moved is not None,
            detections=detections,
            jitters=_jitters(seen.masks, last.masks, moved) if last and moved else {},
            replaced=replaced,
            objects=None if truth is None else tuple(objects),
            own_jitters=_jitters(seen.objects, last.objects, moved) if last and moved else {},
            assigned=assign(objects, detections.crops or ()),
        )
        return self._totals.record(measured)

    def summary(self) -> StabilitySummary:
        """The figures of all frames so far; more may follow."""
        return summarise(self._totals)


def _jitters(
    now: Mapping[int, MaskCrop], before: Mapping[int, MaskCrop], moved: Correspondence
) -> dict[int, Jitter | None]:
    """Of whatever is in both frames, by its key; None where it could not be measured."""
    return {key: jitter(mask, before[key], moved) for key, mask in now.items() if key in before}
