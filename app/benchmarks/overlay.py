"""Drawing: ten instances that cover a quarter of a 1280 x 720 frame."""

from __future__ import annotations

from app.benchmarks.figures import Figure, Setup, at_most
from app.benchmarks.scenes import injected, noise
from app.benchmarks.timing import milliseconds
from pipeline.overlay import draw


def run(setup: Setup) -> list[Figure]:
    """Median time of drawing masks, outlines, boxes and labels on a copy of the frame."""
    frame = noise(720, 1280)
    detections = injected(720, 1280)
    taken = milliseconds({"draw": lambda: draw(frame, detections)}, setup.seconds)
    return [at_most("overlay, 10 instances, 1280 x 720", taken["draw"], 4, "ms")]
