"""Detection of id switches: a track that takes the place of another one, without ground truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model.detections import MaskCrop, mask_iou
from pipeline.stability.flow import Correspondence
from pipeline.stability.jitter import carry

REMEMBERED = 5
"""Number of frames for which the place of a track that has gone is kept."""
SAME_PLACE = 0.5
"""The least IoU of a mask that appears with the one that has gone, moved along with the picture."""


@dataclass(frozen=True, eq=False)
class _Gone:
    mask: MaskCrop
    frames: int


class IdSwitchDetector:
    """Keeps the masks of tracks that were seen a few frames ago, moved along with the picture."""

    def __init__(self) -> None:
        self._gone: dict[int, _Gone] = {}
        self._last: Mapping[int, MaskCrop] = {}

    def forget(self) -> None:
        """A new shot: no place is the same any more."""
        self._gone, self._last = {}, {}

    def update(self, masks: Mapping[int, MaskCrop], moved: Correspondence | None) -> dict[int, int]:
        """The next frame's masks by track; tells who has taken whose place: track -> the one that has gone.

        masks: on the raster of the flow, none of them empty
        moved: from this frame to the one before; None for the first frame of a shot

        Whoever was not there in the frame before has taken the place of a track that is not there now and was
        within the last `REMEMBERED` frames, if their masks overlap by `SAME_PLACE`. A track that comes back
        to where another one was has taken that one's place. Each is used once, the largest overlap first.
        """
        last, self._last = self._last, masks
        if moved is None:
            return {}
        self._carry(last, masks, moved)
        arrivals = [track for track in masks if track not in last]
        overlaps = [
            (mask_iou(masks[new], gone.mask), new, old)
            for new in arrivals
            for old, gone in self._gone.items()
        ]
        taken: dict[int, int] = {}
        for overlap, new, old in sorted(overlaps, key=lambda o: (-o[0], o[1], o[2])):
            if overlap >= SAME_PLACE and new not in taken and old in self._gone:
                taken[new] = old
                del self._gone[old]
        return taken

    def _carry(
        self, last: Mapping[int, MaskCrop], now: Mapping[int, MaskCrop], moved: Correspondence
    ) -> None:
        """The places of those who are not there now, one frame on."""
        gone = {track: _Gone(mask, 0) for track, mask in last.items()} | self._gone
        self._gone = {
            track: _Gone(carry(was.mask, moved), was.frames + 1)
            for track, was in gone.items()
            if track not in now and was.frames < REMEMBERED
        }
