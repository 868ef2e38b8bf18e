"""Tracking of the instances of a run, by any predictor."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.detections import Detections, MaskCrop
from model.host.detection import HostFound, coarse_masks
from model.host.outputs import ImageOutputs
from model.options import DetectOptions
from pipeline.frame import Frame
from pipeline.tracking.base import KEEP
from pipeline.tracking.options import FollowOptions
from pipeline.tracking.shapes import shapes_of
from pipeline.tracking.stage import Instances, TrackingStage

CELLS = 160  # at most, along the longer side of the grid that masks are compared on


class FoundFollower:
    """Tracks what a network found in a frame, before masks are made of it."""

    def __init__(self, stage: TrackingStage) -> None:
        self.stage = stage

    def change(self, options: FollowOptions) -> None:
        """See `TrackingStage.change`."""
        self.stage.change(options)

    def widened(self, options: DetectOptions) -> DetectOptions:
        """Return options for `suppress` that keep what tracks go on with: `KEEP` of the thresholds."""
        return dataclasses.replace(options, threshold_scale=KEEP * options.threshold_scale)

    def __call__(
        self, found: HostFound, outputs: ImageOutputs, thresholds: Sequence[float], frame: Frame
    ) -> HostFound:
        """Return what stays, with `track_ids`; with other boxes, classes and coefficients too if smoothed.

        found:      by `suppress` with the options that `widened` gives
        outputs:    what it was found in, without a letterbox's padding
        thresholds: one a class; what scores no more and continues no track is dropped
        frame:      the next one of the run
        """
        masks = None
        if outputs.prototypes is not None:
            found = found.with_logits(outputs.prototypes)
            masks = coarse_masks(found, -(-max(outputs.prototypes.shape[:2]) // CELLS))
        sides = sides_of(frame)
        codes = (
            np.zeros((len(found.scores), 0), np.float32) if found.coefficients is None else found.coefficients
        )
        now = Instances(found.boxes * sides, found.scores, found.classes, codes, masks)
        starts = np.asarray(thresholds, np.float32)[found.classes]
        ids, stays, then = self.stage(frame, now, starts)
        found = found._replace(track_ids=ids)
        if self.stage.changes:
            found = found._replace(
                boxes=(then.boxes / sides).astype(np.float32),
                classes=then.classes,
                coefficients=None if found.coefficients is None else then.codes,
                logits=None,
            )
        return found.select(stays)


class DetectionsFollower:
    """Tracks whole detections, of any predictor."""

    def __init__(self, stage: TrackingStage) -> None:
        self._stage = stage

    def change(self, options: FollowOptions) -> None:
        """See `TrackingStage.change`."""
        self._stage.change(options)

    def __call__(self, detections: Detections, frame: Frame, start: float) -> Detections:
        """The detections with `track_ids`; where tracks are smoothed, with their boxes, classes and masks.

        frame: the next one of the run, which they were found in
        start: the score, 0..1, that an instance must exceed that is part of no track yet: less is dropped
        """
        size = detections.image_size
        masks = None if detections.crops is None else masks_on_grid(detections.crops, size)
        boxes = detections.boxes.astype(np.float32)
        codes, shapes = np.zeros((len(detections), 0), np.float32), None
        if self._stage.changes and detections.crops is not None:
            shapes = shapes_of(detections.crops, np.nan_to_num(boxes), size)
            codes = shapes.codes
        bodies = None if shapes is None else shapes.bodies
        now = Instances(boxes, detections.scores, detections.classes, codes, masks, bodies)
        ids, stays, now = self._stage(frame, now, start)
        crops = detections.crops
        if shapes is not None:
            crops = shapes.redrawn(np.nan_to_num(now.boxes), now.codes, now.bodies)
        boxes = np.clip(now.boxes, 0, sides_of(frame)).astype(np.float32)
        followed = dataclasses.replace(
            detections, boxes=boxes, classes=now.classes, crops=crops, track_ids=ids
        )
        return followed.select(stays)


def make_follower(options: FollowOptions) -> FoundFollower:
    """A follower for a predictor's own stages. Raises ConfigError on a choice that there is not."""
    return FoundFollower(TrackingStage(options))


def make_detections_follower(options: FollowOptions) -> DetectionsFollower:
    """A follower for any other predictor. Raises ConfigError on a choice that there is not."""
    return DetectionsFollower(TrackingStage(options))


def masks_on_grid(crops: Sequence[MaskCrop], image_size: tuple[int, int]) -> NDArray[np.bool_]:
    """Masks of a frame of (height, width) pixels on a grid of at most `CELLS` cells: [N, h, w] bool."""
    step = -(-max(image_size) // CELLS)
    rows, columns = (np.arange(step // 2, side, step) for side in image_size)
    masks = np.zeros((len(crops), len(rows), len(columns)), dtype=bool)
    for mask, crop in zip(masks, crops, strict=True):
        # the first line of the grid that meets the crop
        top, left = (-(-(start - step // 2) // step) for start in (crop.y, crop.x))
        top, left = max(top, 0), max(left, 0)
        met = crop.pixels[top * step + step // 2 - crop.y :: step, left * step + step // 2 - crop.x :: step]
        mask[top : top + met.shape[0], left : left + met.shape[1]] = met
    return masks


def sides_of(frame: Frame) -> NDArray[np.float32]:
    """Return width, height, width and height of a frame in pixels: [4] float32."""
    height, width = frame.size
    return np.array([width, height, width, height], np.float32)
