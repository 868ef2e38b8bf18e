"""Ratios of two ways that were taken in turn, as figures."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.benchmarks.against.rounds import Taken
from app.benchmarks.figures import Figure, at_least, at_most, missing


@dataclass(frozen=True)
class Quantity:
    """A measure by which two ways are compared.

    value: of one round in `unit`, None where it cannot be told
    least: that the ratio of new to old should be; None where nothing is asked for
    most:  that it should be
    """

    name: str
    unit: str
    value: Callable[[Taken], float | None]
    least: float | None = None
    most: float | None = None


FPS = Quantity("frames a second", "fps", lambda taken: taken.fps)
FPS_AFTER_START = Quantity("frames a second after the start", "fps", lambda taken: taken.fps_after_start)
CPU = Quantity("CPU time a frame", "ms", lambda taken: 1000 * taken.whole.cpu_seconds / taken.frames)
PEAK = Quantity("peak memory", "MB", lambda taken: taken.whole.peak / 1e6)
FIRST = Quantity("first annotated frame", "s", lambda taken: taken.first.seconds)


def ratio(
    title: str, quantity: Quantity, old: Sequence[Taken], new: Sequence[Taken], names: tuple[str, str]
) -> Figure:
    """Return the median of the rounds' ratios, new to old; the note has both sides' values.

    names: of old and new, for the note
    """
    name = f"{title}: {quantity.name}"
    values = [(quantity.value(a), quantity.value(b)) for a, b in zip(old, new, strict=True)]
    known = [(a, b) for a, b in values if a is not None and b is not None]
    if not known:
        return missing(name, "too short a clip to tell")
    ratios = [b / a for a, b in known]
    sides = (f"{side} {_spread(each)}" for side, each in zip(names, zip(*known, strict=True), strict=True))
    rounds = f"ratios {min(ratios):.3g} to {max(ratios):.3g}, rounds: {len(ratios)}"
    return _judged(name, quantity, statistics.median(ratios), f"{', '.join(sides)} {quantity.unit}; {rounds}")


def _judged(name: str, quantity: Quantity, value: float, note: str) -> Figure:
    if quantity.least is not None:
        return at_least(name, value, quantity.least, "x", note)
    if quantity.most is not None:
        return at_most(name, value, quantity.most, "x", note)
    return Figure(name, value, "x", note=note)


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.4g} ({min(values):.4g} to {max(values):.4g})"
