"""The input and the output of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Setup:
    """Settings of a measurement.

    weights: of the network that is benchmarked as a product; a file or a name, None for the bundled ones
    data:    COCO json with masks, for what needs labels; None where there is none
    clip:    a video to work on; None for the demo clip
    seconds: time to spend on each thing that is timed
    frames:  of the run whose memory is measured, or of the clip on which two checkouts are compared
    minutes: that the window is watched
    against: folder of another checkout to compare this one with; None for no comparison
    rounds:  of that comparison, each with both checkouts
    """

    weights: str | None
    data: Path | None
    clip: Path | None
    seconds: float
    frames: int
    minutes: float = 2.0
    against: Path | None = None
    rounds: int = 5


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    value:   None where it could not be measured; `note` then says why
    target:  what is asked for, in words; "" where nothing is
    reached: None where there is no target, or where it is not asked for on this machine
    """

    name: str
    value: float | None
    unit: str
    target: str = ""
    reached: bool | None = None
    note: str = ""


def at_least(name: str, value: float, least: float, unit: str = "x", note: str = "") -> Figure:
    """A figure that should not fall below `least`."""
    return Figure(name, value, unit, f"≥ {least:g}", value >= least, note)


def at_most(name: str, value: float, most: float, unit: str, note: str = "") -> Figure:
    """A figure that should not pass `most`."""
    return Figure(name, value, unit, f"≤ {most:g}", value <= most, note)


def missing(name: str, why: str) -> Figure:
    """A figure that could not be measured here."""
    return Figure(name, None, "", note=why)
