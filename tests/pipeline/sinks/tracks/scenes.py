"""Results of videos in which everything is known: who is where, in which track, and who covers whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from model.detections import Detections, MaskCrop
from pipeline.frame import Frame, Result

SIZE = (48, 64)  # height, width
NAMES = ("person", "car", "dog")


@dataclass(frozen=True)
class Thing:
    """One detection: a rectangle (left, top, right, bottom) that is its box and its mask."""

    track: int
    place: tuple[int, int, int, int]
    name: str = "person"
    score: float = 0.9

    @property
    def mask(self) -> NDArray[np.bool_]:
        left, top, right, bottom = self.place
        mask = np.zeros(SIZE, bool)
        mask[top:bottom, left:right] = True
        return mask

    @property
    def crop(self) -> MaskCrop:
        left, top, right, bottom = self.place
        return MaskCrop(left, top, np.ones((bottom - top, right - left), bool))


def shown(
    index: int, things: Sequence[Thing], names: tuple[str, ...] = NAMES, size: tuple[int, int] = SIZE
) -> Result:
    """A frame that shows these, in their order, 40 ms after the one before."""
    scores = np.array([thing.score for thing in things], np.float32)
    detections = Detections(
        image_size=size,
        boxes=np.array([thing.place for thing in things], np.float32).reshape(-1, 4),
        scores=scores,
        classes=np.array([names.index(thing.name) for thing in things], np.int64),
        class_names=names,
        crops=tuple(thing.crop for thing in things),
        box_scores=scores,
        track_ids=np.array([thing.track for thing in things], np.int64),
    )
    frame = Frame(np.zeros((*size, 3), np.uint8), index, 40 * index, Fraction(1, 1000), captured_at=0.0)
    return Result(frame, detections)


def crossing() -> list[list[Thing]]:
    """Twelve frames: two people walk through one another, a car passes behind both and is gone for three.

    Somebody stands in the corner in every other frame; something without a track flickers; a dog leaves.
    """
    frames = []
    for index in range(12):
        things = [
            Thing(0, (4 * index, 10, 4 * index + 14, 40), score=0.9),
            Thing(1, (46 - 4 * index, 12, 60 - 4 * index, 44), score=0.8),
        ]
        if index < 9:
            things.append(Thing(5, (50, 0, 60, 6), "dog", score=0.7))
        if not 4 <= index < 7:
            things.append(Thing(2, (3 * index, 20, 3 * index + 25, 38), "car", score=0.6))
        if index % 2:
            things.append(Thing(3, (0, 0, 6, 9), score=0.5))
        if index == 8:
            things.append(Thing(-1, (30, 0, 40, 8), score=0.4))
        frames.append(things)
    return frames


def results(frames: Sequence[Sequence[Thing]]) -> list[Result]:
    return [shown(index, things) for index, things in enumerate(frames)]


def many(count: int = 300) -> list[Result]:
    """Three frames with so many people, one pixel apart, some of whom miss the frame in the middle."""
    columns = SIZE[1] // 3
    things = [
        Thing(number, (x := 3 * (number % columns), y := 3 * (number // columns), x + 2, y + 2))
        for number in range(count)
    ]
    return results([things, things[::2], things])


def nobody() -> list[Result]:
    return results([[], [], []])
