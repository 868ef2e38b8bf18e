"""Video made by computation: a textured object that moves over a textured ground, with its exact masks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from model.detections import Detections, MaskCrop, no_detections
from pipeline.stability.meter import StabilityMeter
from pipeline.stability.records import FrameScore, StabilitySummary
from tests.source_tree import ROOT

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

HEIGHT, WIDTH = 240, 320
BOX = (100, 80, 100, 80)  # x, y, width, height of the object at rest


def texture(seed: int, height: int = HEIGHT, width: int = WIDTH) -> Image:
    """Noise with detail of every size, which a flow can follow: [height, width, 3] uint8."""
    noise = np.random.default_rng(seed).standard_normal((height, width, 3))
    parts = [cv2.GaussianBlur(noise, (0, 0), size) for size in (2, 6, 18)]
    return np.clip(sum(part / part.std() for part in parts) * 25 + 128, 0, 255).astype(np.uint8)


def rectangle(x: int, y: int, w: int, h: int, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Mask:
    """A mask that is a rectangle, as far as it lies in the frame."""
    mask = np.zeros(size, dtype=bool)
    mask[max(y, 0) : max(y + h, 0), max(x, 0) : max(x + w, 0)] = True
    return mask


@dataclass(frozen=True)
class Clip:
    """Frames and the ground truth of each: [H, W, 3] BGR, [H, W] labels."""

    frames: list[Image]
    truth: list[Image]

    @property
    def masks(self) -> list[Mask]:
        """Where anything is."""
        return [labels > 0 for labels in self.truth]


def moving(count: int, dx: int = 0, dy: int = 0, box: tuple[int, int, int, int] = BOX) -> Clip:
    """A textured rectangle that moves by (dx, dy) px a frame over ground that stays."""
    ground, pattern = texture(1), texture(2, box[3], box[2])
    frames, truth = [], []
    for k in range(count):
        x, y, w, h = box[0] + k * dx, box[1] + k * dy, box[2], box[3]
        frame = ground.copy()
        x1, y1, x2, y2 = max(x, 0), max(y, 0), min(x + w, WIDTH), min(y + h, HEIGHT)
        if x1 < x2 and y1 < y2:
            frame[y1:y2, x1:x2] = pattern[y1 - y : y2 - y, x1 - x : x2 - x]
        frames.append(frame)
        truth.append(rectangle(x, y, w, h).astype(np.uint8))
    return Clip(frames, truth)


def still(count: int) -> Clip:
    """The same with nothing that moves."""
    return moving(count)


def found(
    masks: Sequence[Mask],
    ids: Sequence[int] | None = None,
    classes: Sequence[int] | None = None,
    size: tuple[int, int] = (HEIGHT, WIDTH),
) -> Detections:
    """Detections with these masks; ids count from 1 and classes are all 0 where none are given."""
    if not masks:
        return no_detections(size, ("cat", "dog"))
    scores = np.full(len(masks), 0.9, np.float32)
    return Detections(
        image_size=size,
        boxes=np.zeros((len(masks), 4), np.float32),
        scores=scores,
        classes=np.array([0] * len(masks) if classes is None else classes, np.int64),
        class_names=("cat", "dog"),
        crops=tuple(MaskCrop(0, 0, mask) for mask in masks),
        box_scores=scores,
        track_ids=np.array(range(1, len(masks) + 1) if ids is None else ids, np.int64),
    )


def measure(
    frames: Iterable[Image], detections: Iterable[Detections], truth: Iterable[Image] | None = None
) -> tuple[StabilitySummary, list[FrameScore]]:
    """The figures of a video of 25 frames a second, and of each frame."""
    meter = StabilityMeter()
    known: Iterator[Image] | None = None if truth is None else iter(truth)
    scores = [
        meter.add(frame, seen, k / 25, None if known is None else next(known))
        for k, (frame, seen) in enumerate(zip(frames, detections, strict=True))
    ]
    return meter.summary(), scores


def davis(name: str, count: int) -> Clip:
    """The first frames of a sequence of DAVIS; skips where it is absent."""
    folder = ROOT.parent / "shared" / "data" / "davis" / name
    if not folder.is_dir():
        pytest.skip(f"needs the sequence {name} in ../shared/data/davis")
    return Clip(
        [_read(path, cv2.IMREAD_COLOR) for path in sorted((folder / "frames").iterdir())[:count]],
        [_read(path, cv2.IMREAD_GRAYSCALE) for path in sorted((folder / "masks").iterdir())[:count]],
    )


def _read(path: Path, how: int) -> Image:
    return np.asarray(cv2.imread(str(path), how), np.uint8)
