"""Region similarity of one object in a video, DAVIS's measure of a sequence.

Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation", CVPR 2016,
where region similarity is J, the IoU of the object's mask with its ground truth. A detector finds many
objects and DAVIS labels one: `Follower` picks that one. It gets the ground truth of the first frame only,
as in DAVIS's semi-supervised task.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.detections import Detections, MaskCrop, mask_iou

RECALL_IOU = 0.5
"""A frame counts as recalled when its IoU is above this."""
OVERLAP = 0.3
"""Minimum IoU of masks of one object in two frames; the value of SORT (Bewley et al., 2016) for boxes,
since neighbours' masks overlap too in a crowd."""


@dataclass(frozen=True)
class FrameFigures:
    """Result of one frame.

    iou:        region similarity, 0..1
    missed:     True if the object is visible and no detection matches it; `iou` is 0 then
    class_name: of the match, None without one
    score:      of the match, None without one
    """

    iou: float
    missed: bool
    class_name: str | None
    score: float | None


@dataclass(frozen=True)
class SequenceFigures:
    """Figures of a sequence, over all its frames unless stated otherwise.

    mean_iou, median_iou: region similarity, 0..1
    recall:               share of frames with an IoU above `RECALL_IOU`, 0..1
    davis_mean_iou, davis_recall: the same as DAVIS's code for the semi-supervised task computes them:
                          without the first frame, whose mask is given, and the last; None for fewer than
                          3 frames
    """

    mean_iou: float
    median_iou: float
    recall: float
    misses: int
    frames: int
    davis_mean_iou: float | None
    davis_recall: float | None


class Follower:
    """Picks the detection of the object frame by frame, by its overlap with the former match.

    start: [H, W] bool, the object's mask in the first frame
    """

    def __init__(self, start: NDArray[np.bool_]) -> None:
        self._last = MaskCrop(0, 0, start)

    def match(self, detections: Detections) -> int | None:
        """Return the index of the best detection whose mask overlaps the last match by `OVERLAP`, or None.

        Before the first match the start counts as the last one; after a miss the last match stays.
        The frames must come in their order and all be of one size. Raises ValueError when the detections
        hold no masks.
        """
        if detections.crops is None:
            raise ValueError("an object is followed by its mask, and these detections hold boxes only")
        for index in np.argsort(-detections.scores, kind="stable").tolist():
            if mask_iou(detections.crops[index], self._last) >= OVERLAP:
                self._last = detections.crops[index]
                return int(index)
        return None


def measure_frame(follower: Follower, detections: Detections, truth: NDArray[np.bool_]) -> FrameFigures:
    """Match the object in the next frame and compare the match with `truth`, [H, W] bool.

    [H, W] is the `image_size` of the detections. Where the object is not visible and nothing matches, the
    frame is not missed and its IoU is 1. Raises ValueError on another shape, or when there are no masks.
    """
    if truth.shape != detections.image_size:
        raise ValueError(f"expected ground truth of shape {detections.image_size}, got {truth.shape}")
    index = follower.match(detections)
    if index is None or detections.crops is None:
        missed = bool(truth.any())
        return FrameFigures(float(not missed), missed, None, None)
    return FrameFigures(
        iou=region_similarity(detections.crops[index], truth),
        missed=False,
        class_name=detections.names[index],
        score=float(detections.scores[index]),
    )


def summarise(frames: Sequence[FrameFigures]) -> SequenceFigures:
    """Summarise the frames of a sequence. Raises ValueError when there are none."""
    if not frames:
        raise ValueError("a sequence without frames has no figures")
    ious = np.array([frame.iou for frame in frames])
    counted = ious[1:-1]
    return SequenceFigures(
        mean_iou=float(ious.mean()),
        median_iou=float(np.median(ious)),
        recall=float(np.mean(ious > RECALL_IOU)),
        misses=sum(frame.missed for frame in frames),
        frames=len(frames),
        davis_mean_iou=float(counted.mean()) if len(counted) else None,
        davis_recall=float(np.mean(counted > RECALL_IOU)) if len(counted) else None,
    )


def region_similarity(crop: MaskCrop, truth: NDArray[np.bool_]) -> float:
    """Return the IoU of a mask with `truth`, [H, W] bool of the whole frame; 1 when both are empty."""
    height, width = crop.pixels.shape
    beneath = truth[crop.y : crop.y + height, crop.x : crop.x + width]
    shared = np.count_nonzero(crop.pixels & beneath)
    union = crop.area + np.count_nonzero(truth) - shared
    return shared / union if union else 1.0
