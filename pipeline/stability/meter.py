"""Measures how still masks are, frame by frame: the one class that a report needs. See DEFINITIONS.md."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from model.detections import Detections, MaskCrop
from pipeline.stability.flicker import Places
from pipeline.stability.flow import SAME_SHOT, Correspondence, FlowEstimator
from pipeline.stability.jitter import Jitter, jitter
from pipeline.stability.ledger import Ledger, Measured
from pipeline.stability.records import FrameScore, StabilitySummary
from pipeline.stability.sight import Sight, check, look, truth_objects
from pipeline.stability.summing import summarise
from pipeline.stability.truth import assign

LONGEST_STEP = 1.0
"""Seconds; frames farther apart are not compared: too much may have happened."""


class StabilityMeter:
    """Takes a video's frames in their order and tells how still the masks are. Not shared between threads.

    It keeps the last frame's picture and masks, the masks of tracks that went in the last few frames, and a
    few numbers of each frame and track.
    """

    def __init__(self) -> None:
        self._flow = FlowEstimator()
        self._places = Places()
        self._ledger = Ledger()
        self._last: Sight | None = None

    def add(
        self,
        image: NDArray[np.uint8],
        detections: Detections,
        time: float,
        truth: NDArray[np.uint8] | None = None,
    ) -> FrameScore:
        """Measure the next frame against the one before it.

        image:      [H, W, 3] uint8 BGR
        detections: with masks and track ids, of that frame; (H, W) is their `image_size`
        time:       seconds, the frame's own; where it goes back, or on by more than `LONGEST_STEP`, a new
                    shot begins
        truth:      [H, W] uint8 labels, 0 background, one value an object; the value is the object's
                    identity through the video. None: not known in this frame

        Raises ValueError when masks or track ids are missing, when an id occurs twice, or when the sizes do
        not agree; the frame is then not counted.
        """
        check(image, detections, truth)
        objects = truth_objects(truth)
        sight = look(image, detections, time, objects)
        moved, last = self._moved(sight), self._last
        self._last = sight
        if moved is None:
            self._places.forget()
        replaced = self._places.update(sight.masks, moved)
        measured = Measured(
            time=time,
            compared=moved is not None,
            detections=detections,
            jitters=_jitters(sight.masks, last.masks, moved) if last and moved else {},
            replaced=replaced,
            objects=None if truth is None else tuple(objects),
            own_jitters=_jitters(sight.objects, last.objects, moved) if last and moved else {},
            assigned=assign(objects, detections.crops or ()),
        )
        return self._ledger.record(measured)

    def summary(self) -> StabilitySummary:
        """The figures of all frames so far; more may follow."""
        return summarise(self._ledger)

    def _moved(self, sight: Sight) -> Correspondence | None:
        """How the picture moved since the last frame; None where that is another shot."""
        last = self._last
        if last is None or last.image_size != sight.image_size:
            return None
        if not 0 <= sight.time - last.time <= LONGEST_STEP:
            return None
        moved = self._flow(last.picture, sight.picture)
        return moved if moved.share_known >= SAME_SHOT else None


def _jitters(
    now: Mapping[int, MaskCrop], before: Mapping[int, MaskCrop], moved: Correspondence
) -> dict[int, Jitter | None]:
    """Of whatever is in both frames, by its key; None where it could not be measured."""
    return {key: jitter(mask, before[key], moved) for key, mask in now.items() if key in before}
