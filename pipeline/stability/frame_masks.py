"""The masks and the ground truth of one frame, as the measure of stability keeps them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.detections import Detections, MaskCrop
from pipeline.stability.raster import objects, on_grid


@dataclass(frozen=True, eq=False)
class FrameMasks:
    """One frame's masks as they are compared with those of the next, on the raster of the flow.

    masks:   by track, those that are not empty on the raster
    objects: the ground truth's, by label
    """

    masks: dict[int, MaskCrop]
    objects: dict[int, MaskCrop]


def frame_masks(detections: Detections, truth: dict[int, MaskCrop], grid: tuple[int, int]) -> FrameMasks:
    """Return the masks of a frame's detections and of its ground truth's objects, by label.

    grid: (height, width) px of the raster
    """
    size = detections.image_size
    crops = {i: c for i, c in zip(ids(detections), detections.crops or (), strict=True) if i >= 0}
    return FrameMasks(
        masks=_not_empty({track: on_grid(crop, size, grid) for track, crop in crops.items()}),
        objects=_not_empty({label: on_grid(crop, size, grid) for label, crop in truth.items()}),
    )


def ids(detections: Detections) -> list[int]:
    """The track of each detection; -1 for one that is part of none."""
    return [] if detections.track_ids is None else detections.track_ids.tolist()


def truth_objects(truth: NDArray[np.uint8] | None) -> dict[int, MaskCrop]:
    """The objects of a frame's ground truth, [H, W] labels, by label."""
    return {} if truth is None else objects(truth)


def check(image: NDArray[np.uint8], detections: Detections, truth: NDArray[np.uint8] | None) -> None:
    """Raises ValueError for what cannot be measured, and says what to do."""
    size = detections.image_size
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"expected a [H, W, 3] uint8 picture, got {image.dtype} of shape {image.shape}")
    if image.shape[:2] != size:
        raise ValueError(
            f"the detections are of a frame of {size} (height, width) px, the picture has {image.shape[:2]}"
        )
    if truth is not None and (truth.shape != size or truth.dtype != np.uint8):
        raise ValueError(
            f"expected ground truth of {size} uint8 labels, got {truth.dtype} of shape {truth.shape}"
        )
    if not len(detections):
        return
    if detections.crops is None:
        raise ValueError("these detections hold boxes only; stability is measured on masks: ask for masks")
    if detections.track_ids is None:
        raise ValueError(
            "these detections have no track ids; stability is measured along tracks: run a tracker"
        )
    twice = [i for i, count in Counter(ids(detections)).items() if count > 1 and i >= 0]
    if twice:
        raise ValueError(f"track ids {twice} occur more than once in a frame; a track has one mask a frame")


def _not_empty(masks: dict[int, MaskCrop]) -> dict[int, MaskCrop]:
    return {key: mask for key, mask in masks.items() if mask.pixels.size}
