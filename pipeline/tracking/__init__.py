"""Tracking from frame to frame: trackers, and the stage that applies them to a run's detections."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.tracking.base import Tracker


def _bytetrack() -> Tracker:
    from pipeline.tracking.bytetrack import ByteTrack

    return ByteTrack()


# factories of trackers: libraries are loaded with the first of a kind
TRACKERS: dict[str, Callable[[], Tracker]] = {"bytetrack": _bytetrack}
