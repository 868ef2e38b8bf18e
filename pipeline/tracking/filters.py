"""Filters of measurements that come frame by frame, for M tracks at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

EVIDENCE = 0.5  # seconds over which classes are weighed
CLASS_MARGIN = 1.25  # so many times its class's evidence has another one that takes over
SHORTEST_STEP, LONGEST_STEP = 0.001, 0.2  # seconds; a longer gap tells no more of what has happened since
USUAL_STEP = 0.04  # seconds that are taken to have passed where the time does not advance
_TINY = 1e-6  # in the place of a divisor of 0


def steps(before: NDArray[np.float64], now: NDArray[np.float64]) -> Floats:
    """Seconds from one time to another, [M] each, within what a filter can use: [M, 1]."""
    passed = (now - before).clip(SHORTEST_STEP, LONGEST_STEP)
    return np.where(now > before, passed, USUAL_STEP).astype(np.float32)[:, None]


def gain(step: Floats, seconds: float) -> Floats:
    """The weight of a new value under exponential forgetting: 1 where nothing is remembered.

    step: seconds since the last value; seconds: those after which a value weighs 1/e
    """
    return 1 - np.exp(-step / np.float32(seconds)) if seconds > 0 else np.ones_like(step)


def followed(
    places: Floats, speeds: Floats, measured: Floats, step: Floats, steady: Floats, give: Floats
) -> tuple[Floats, Floats]:
    """An alpha-beta filter that gives way to what is off by more than `give`: places and speeds, [M, 4].

    places, speeds: [M, 4], what was known, the speeds in units of `places` a second
    measured, give: [M, 4] in units of `places`
    step:           [M, 1] seconds
    steady:         [M, 1] or [M, 4], the gain while nothing surprises; 1 gives the measurement as it is

    The gain of the speed is that of Benedict and Bordner, "Synthesis of an Optimal Set of Radar Track-While-
    Scan Smoothing Equations", IRE Transactions on Automatic Control, 1962; a leap is none that goes on.
    """
    ahead = measured - (places + speeds * step)
    surprise = np.asarray(ahead / np.maximum(give, _TINY), np.float32)
    pace = steady * steady / (2 - steady) / (1 + surprise * surprise)
    # at full weight the result is the measurement, to the last bit
    places = measured - doubt(steady, surprise) * ahead
    return places, np.asarray(speeds + pace / step * ahead, np.float32)


def doubt(steady: Floats, surprise: Floats) -> Floats:
    """1 - gain: that of the steady gain at no surprise, half of it at a surprise of 1, 0 far beyond."""
    return (1 - steady) / (1 + surprise * surprise)


def blurred(pictures: Floats) -> Floats:
    """The mean of each value of [M, h, w] and its eight neighbours: what moves is wider than a cell."""
    high, wide = pictures.shape[1:]
    padded = np.pad(pictures, [(0, 0), (1, 1), (1, 1)], mode="edge")
    rows = padded[:, :high] + padded[:, 1:-1] + padded[:, 2:]
    return (rows[:, :, :wide] + rows[:, :, 1:-1] + rows[:, :, 2:]) / np.float32(9)


def moved(boxes: Floats, old: Floats, new: Floats) -> Floats:
    """Boxes, [N, 4] x1 y1 x2 y2, moved and stretched as others were from old to new, [N, 4] each.

    Where nothing moved they stay what they are to the last bit.
    """
    sizes = [np.tile((one[:, 2:] - one[:, :2]).clip(1e-3), 2) for one in (old, new)]
    corners = [np.tile(one[:, :2], 2) for one in (old, new)]
    there = corners[1] + (boxes - corners[0]) * (sizes[1] / sizes[0])
    return np.where((old == new).all(1, keepdims=True), boxes, there).astype(np.float32)


def next_classes(
    known: tuple[Ints, Ints, Floats], measured: Ints, scores: Floats, step: Floats
) -> tuple[Ints, Ints, Floats]:
    """Classes with hysteresis: the class, the class that is measured instead, and the evidence for either.

    known:    the same three of the frame before, [M], [M] and [M, 2]
    measured: [M], with scores [M]
    step:     [M, 1] seconds

    Evidence is the sum of scores, each forgotten over `EVIDENCE`. A class gives way to another one that has
    `CLASS_MARGIN` times its own.
    """
    classes, rivals, evidence = known
    evidence = evidence * np.exp(-step / np.float32(EVIDENCE))
    own = measured == classes
    # a third class takes the place of a rival that has less evidence than it has itself
    other = ~own & (measured != rivals) & (scores > evidence[:, 1])
    rivals = np.where(other, measured, rivals)
    evidence[other, 1] = 0
    evidence[own, 0] += scores[own]
    for_rival = ~own & (measured == rivals)
    evidence[for_rival, 1] += scores[for_rival]
    over = evidence[:, 1] > CLASS_MARGIN * evidence[:, 0]
    evidence[over] = evidence[over, ::-1]
    return np.where(over, rivals, classes), np.where(over, classes, rivals), evidence
