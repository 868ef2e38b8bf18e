"""Frames and detections to measure on, the same ones every time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.detections import Detections, MaskCrop

COVERED = 0.25  # of the frame, by all masks together
INSTANCES = 10


def injected(height: int, width: int, class_names: tuple[str, ...] = ("person",)) -> Detections:
    """Ten upright ellipses in two rows that together cover a quarter of the frame, as people might."""
    area = COVERED * height * width / INSTANCES
    # an ellipse of semi-axes a and b = 2 a has an area of π a b
    half_width = (area / (2 * np.pi)) ** 0.5
    half_height = 2 * half_width
    crops, boxes = [], []
    for number in range(INSTANCES):
        row, column = divmod(number, INSTANCES // 2)
        x = (column + 0.5) * width / (INSTANCES // 2)
        y = (row + 0.5) * height / 2
        crop, box = _ellipse(x, y, half_width, half_height)
        crops.append(crop)
        boxes.append(box)
    scores = np.linspace(0.95, 0.5, INSTANCES).astype(np.float32)
    return Detections(
        image_size=(height, width),
        boxes=np.array(boxes, np.float32),
        scores=scores,
        classes=np.arange(INSTANCES) % len(class_names),
        class_names=class_names,
        crops=tuple(crops),
        box_scores=scores,
    )


def noise(height: int, width: int) -> NDArray[np.uint8]:
    """[height, width, 3] uint8: a picture with structure of all sizes, so that nothing is too easy."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    waves = 80 + 60 * np.sin(x / 37) * np.cos(y / 23)
    return np.clip(waves[..., None] + rng.normal(0, 12, (height, width, 3)), 0, 255).astype(np.uint8)


def _ellipse(x: float, y: float, a: float, b: float) -> tuple[MaskCrop, tuple[float, float, float, float]]:
    left, top, right, bottom = int(x - a), int(y - b), int(x + a) + 1, int(y + b) + 1
    rows, columns = np.mgrid[top:bottom, left:right]
    inside = ((columns + 0.5 - x) / a) ** 2 + ((rows + 0.5 - y) / b) ** 2 <= 1
    return MaskCrop(left, top, inside), (x - a, y - b, x + a, y + b)
