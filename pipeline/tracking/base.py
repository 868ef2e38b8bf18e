"""The protocol of trackers, and their input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

LOST = 1.0  # seconds that a track may be missed before it ends
KEEP = 0.5  # share of the score threshold, 0..1, down to which a track goes on


@dataclass(frozen=True, eq=False)
class TrackerInput:
    """A tracker's input of one frame: N instances.

    image_size: (height, width) of the frame in pixels
    boxes:      [N, 4] float32, x1 y1 x2 y2 in frame pixels; they may reach over its edge
    scores:     [N] float32, 0 or more
    masks:      [N, h, w] bool on any coarse grid over the whole frame, or None: boxes only
    time:       seconds, of the frame's own time stamp
    """

    image_size: tuple[int, int]
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    masks: NDArray[np.bool_] | None
    time: float


class Tracker(Protocol):
    """Assigns the instances of each frame to tracks. The same input gives the same ids."""

    def update(self, seen: TrackerInput, start: float) -> NDArray[np.int64]:
        """The track of each instance: [N] int64, counted from 0 as tracks begin; -1 for none.

        start: what scores more may begin a track, which has its id from then on; what scores less or as much
               only continues one

        Frames come in their order; one whose time is not later than the last one's is taken to follow
        closely. A box that is not finite or has no area is part of no track. A track that is missed for more
        than `LOST` seconds has ended.
        """

    def reset(self) -> None:
        """End every track. No id is ever used again."""
