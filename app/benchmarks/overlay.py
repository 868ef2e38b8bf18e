"""Drawing: ten instances that cover a quarter of a 1280 x 720 frame."""

from __future__ import annotations

from collections.abc import Callable

from app.benchmarks.annotating import FAST_FORWARD, forward_pass
from app.benchmarks.figures import Figure, Setup
from app.benchmarks.scenes import injected, noise
from app.benchmarks.timing import milliseconds
from pipeline.overlay.draw import draw

MOST = 4.0  # ms


def run(setup: Setup) -> list[Figure]:
    """Median time of drawing masks, outlines, boxes and labels on a copy of the frame."""
    frame = noise(720, 1280)
    detections = injected(720, 1280)
    taken = milliseconds({"draw": lambda: draw(frame, detections)}, setup.seconds)
    return [judged(taken["draw"], lambda: forward_pass(setup))]


def judged(drawing: float, forward: Callable[[], float]) -> Figure:
    """The figure for a time of drawing.

    The target is for machines that are fast enough, which the forward pass tells: a slower one may reach
    it, but does not miss it. `forward` measures that pass in ms, and is called only where it decides.
    """
    reached: bool | None = drawing <= MOST
    note = ""
    if not reached and (taken := forward()) > FAST_FORWARD:
        reached = None
        note = f"asked for only where the forward pass takes {FAST_FORWARD:g} ms; it takes {taken:.0f} here"
    return Figure("overlay, 10 instances, 1280 x 720", drawing, "ms", f"≤ {MOST:g}", reached, note)
