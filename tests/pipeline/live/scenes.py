"""Frames full of noise, and people in them whose masks are known."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

import numpy as np

from model.detections import Detections, MaskCrop
from pipeline.frame import Frame, Inspection, Result

Box = tuple[float, float, float, float]
NAMES = ("person", "dog", "tie")
SIZE = (720, 1280)


@lru_cache(maxsize=4)
def noise(size: tuple[int, int] = SIZE, seed: int = 0) -> np.ndarray:
    """Hardly two pixels of it are alike: whatever is uniform was made so. Nobody may write to it."""
    image = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    image.flags.writeable = False
    return image


def disc(box: Box) -> MaskCrop:
    """The ellipse that fills a box."""
    x1, y1, x2, y2 = (int(v) for v in box)
    h, w = y2 - y1, x2 - x1
    y, x = np.mgrid[:h, :w] + 0.5
    return MaskCrop(x1, y1, (x / w - 0.5) ** 2 + (y / h - 0.5) ** 2 < 0.25)


def found(
    boxes: Sequence[Box],
    classes: Sequence[int] | None = None,
    size: tuple[int, int] = SIZE,
    crops: Sequence[MaskCrop] | None = None,
    with_masks: bool = True,
    names: tuple[str, ...] = NAMES,
) -> Detections:
    """People, or other classes of `names`, with elliptic masks; the first scores best."""
    scores = np.linspace(0.9, 0.3, len(boxes)).astype(np.float32)
    return Detections(
        image_size=size,
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        scores=scores,
        classes=np.array([0] * len(boxes) if classes is None else classes, np.int64),
        class_names=names,
        crops=tuple(crops or map(disc, boxes)) if with_masks else None,
        box_scores=scores,
    )


def result(
    detections: Detections,
    captured_at: float = 0.0,
    time: float | None = None,
    image: np.ndarray | None = None,
    prototypes: np.ndarray | None = None,
) -> Result:
    """The detections in a frame of noise. time: of the film, in seconds; as it was captured by default."""
    pts = round((captured_at if time is None else time) * 1000)
    image = noise(detections.image_size) if image is None else image
    inspection = None
    if prototypes is not None:
        rows = np.arange(len(detections), dtype=np.float32)[:, None]
        inspection = Inspection(prototypes, np.repeat(rows, prototypes.shape[2], axis=1))
    frame = Frame(image, pts, pts, Fraction(1, 1000), 500 + captured_at)
    return Result(frame, detections, inspection=inspection)


def changed(before: Result, after: Result) -> np.ndarray:
    """[H, W] bool, which pixels of the frame are others."""
    blue, green, red = np.moveaxis(before.frame.image != after.frame.image, 2, 0)
    return blue | green | red


def inside(box: Box, size: tuple[int, int] = SIZE) -> np.ndarray:
    """[H, W] bool, the pixels of a box."""
    pixels = np.zeros(size, dtype=bool)
    x1, y1, x2, y2 = (int(v) for v in box)
    pixels[max(y1, 0) : y2, max(x1, 0) : x2] = True
    return pixels


def colours(image: np.ndarray) -> int:
    """How many colours a picture has."""
    return len(np.unique(image.astype(np.uint32) @ np.array([1, 256, 65536], np.uint32)))
