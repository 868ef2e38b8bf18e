"""The lightest task of a batch: what it takes is the batch's own."""

from __future__ import annotations

from pathlib import Path

from app.batch.records import PlannedVideo
from app.batch.tasks import Made

EMPTY = "app.benchmarks.empty_task:Writing"


class Writing:
    """Writes empty outputs. See `app.batch.tasks.VideoTask`."""

    def __init__(self, out: Path) -> None: ...

    def make(self, video: PlannedVideo, folder: Path) -> Made:
        """See `VideoTask.make`."""
        for _, path in video.outputs:
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(b"")
        return Made(1)
