"""What trackers are shown in tests: instances by box and score, or by mask."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from model.detections import Detections, MaskCrop
from pipeline.frame import Frame
from pipeline.tracking.base import TrackerInput

SIZE = (120, 200)  # height and width of every frame, in pixels

Box = tuple[float, float, float, float]


def tracker_input(
    boxes: Sequence[Box], scores: Sequence[float] | None = None, time: float = 0
) -> TrackerInput:
    """Boxes alone, all of them certain unless told otherwise."""
    return TrackerInput(
        SIZE,
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array([0.9] * len(boxes) if scores is None else scores, np.float32),
        None,
        time,
    )


def box_at(x: float, y: float = 60, width: float = 30, height: float = 60) -> Box:
    """A box by its centre."""
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def frame_at(index: int, rate: int = 25, size: tuple[int, int] = SIZE, grey: int = 90) -> Frame:
    """An empty picture, so many frames after the first."""
    image = np.full((*size, 3), grey, np.uint8)
    return Frame(image, index, index, Fraction(1, rate), 0.0)


def wedge(box: Box, lower: bool, step: int = 1) -> NDArray[np.bool_]:
    """The half of a box below, or above, its rising diagonal, on a grid of cells of `step` pixels: [h, w]."""
    x1, y1, x2, y2 = box
    y, x = (np.arange(side // step)[:, None] * step + step / 2 for side in SIZE)
    across, down = (x.T - x1) / (x2 - x1), (y - y1) / (y2 - y1)
    inside = (across >= 0) & (across < 1) & (down >= 0) & (down < 1)
    return inside & ((across + down >= 1) == lower)


def detections(
    boxes: Sequence[Box], scores: Sequence[float] | None = None, with_masks: bool = True
) -> Detections:
    """Each fills its box, whose corners are whole pixels."""
    seen = tracker_input(boxes, scores)
    crops = [
        MaskCrop(int(x1), int(y1), np.ones((int(y2 - y1), int(x2 - x1)), dtype=bool))
        for x1, y1, x2, y2 in seen.boxes
    ]
    return Detections(
        image_size=SIZE,
        boxes=seen.boxes,
        scores=seen.scores,
        classes=np.zeros(len(boxes), np.int64),
        class_names=("person",),
        crops=tuple(crops) if with_masks else None,
        box_scores=seen.scores,
    )
