"""Frames with red squares that move, and a predictor that finds each of them exactly, or nearly."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from model.detections import Detections, MaskCrop, no_detections
from pipeline.detectors.paired import PairedDetector
from pipeline.detectors.plain import PlainDetector
from pipeline.frame import Frame, Result
from pipeline.metrics.run import Metrics
from pipeline.tracking.following import make_detections_follower
from pipeline.tracking.options import FollowOptions
from tests.pipeline.detector_checks import results
from tests.pipeline.standins import Source

SIZE = (48, 80)  # height and width
SIDE = 16
RED = (0, 0, 255)


def frames(count: int, squares: int = 2, speed: int = 1) -> list[Frame]:
    """Squares that move to the right, `speed` pixels a frame, over noise that stands still."""
    height, width = SIZE
    background = np.random.default_rng(0).integers(0, 200, (height, width, 1), np.uint8).repeat(3, axis=2)
    found = []
    for index in range(count):
        image = background.copy()
        for number in range(squares):
            x, y = 4 + 30 * number + speed * index, 6 + 18 * number
            image[y : y + SIDE, x : x + SIDE] = RED
        found.append(Frame(image, index, index, Fraction(1, 25), 0.0))
    return found


class SquaresSource(Source):
    """A file of so many of them, or a camera."""

    def __init__(self, count: int, live: bool = False) -> None:
        super().__init__(count, live)
        self._frames = frames(count)

    def read(self) -> Frame | None:
        plain = super().read()
        return None if plain is None else self._frames[plain.index]


class FindsSquares:
    """An `InstancePredictor`. shake: by how many pixels every other frame's boxes and masks are off."""

    class_names = ("square",)
    score_threshold = 0.5

    def __init__(self, shake: int = 0) -> None:
        self._shake = shake
        self._calls = 0
        self.batches: list[int] = []

    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        self.batches.append(len(images))
        return [self._find(image) for image in images]

    def _find(self, image: NDArray[np.uint8]) -> Detections:
        off = self._shake * (self._calls % 2)
        self._calls += 1
        red = (image == RED).all(axis=2)
        boxes = []
        for y in np.flatnonzero(np.diff(red.any(axis=1), prepend=False))[::2].tolist():
            x = int(np.flatnonzero(red[y])[0])
            boxes.append((x, y + off, x + SIDE, y + SIDE + off))
        if not boxes:
            return no_detections((image.shape[0], image.shape[1]), self.class_names)
        scores = np.full(len(boxes), 0.9, np.float32)
        crops = tuple(MaskCrop(x, y, np.ones((SIDE, SIDE), bool)) for x, y, _, _ in boxes)
        classes = np.zeros(len(boxes), np.int64)
        return Detections(SIZE, np.array(boxes, np.float32), scores, classes, self.class_names, crops, scores)


def squares_detector(shake: int = 0, metrics: Metrics | None = None) -> PlainDetector:
    """A detector that follows the squares; their masks tremble by `shake` pixels."""
    return PlainDetector(FindsSquares(shake), metrics or Metrics(), make_detections_follower(FollowOptions()))


def compared(count: int = 8, shake: int = 2, speed: int = 1) -> list[Result]:
    """Results of both sides, of which the right one trembles."""
    both = PairedDetector(squares_detector(), squares_detector(shake))
    return results(both, frames(count, speed=speed))
