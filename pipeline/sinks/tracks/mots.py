"""Tracks in the text format of MOTS: lines of `frame id class height width mask`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from model.detections import Detections, MaskCrop
from model.errors import ConfigError
from pipeline.frame import Result
from pipeline.sinks.tracks.base import DetectionCounter, refuse_boxes_and_strangers, tracks_of
from pipeline.sources.base import SourceInfo

CLASSES: dict[str, int] = {"car": 1, "pedestrian": 2, "person": 2}
"""Name of a class, in small letters -> its id in MOTS, whose tools refuse a file that holds any other."""

_ROOM = 1000  # objects of one class that the format has ids for
_BEYOND = 10_000  # is itself the id of regions to ignore


class MotsText:
    """Writes the format of P. Voigtlaender et al., "MOTS: Multi-Object Tracking and Segmentation" (CVPR 2019;
    www.vision.rwth-aachen.de/page/mots) as MOTSChallenge reads it.

    frame:  the source's count plus `FIRST`, also where frames were left out
    id:     class · 1000 + track, as the format has it. A track from 1000 on gets 10 000 + track: no class can
            be told from it any more (the column beside it still says it), but no two tracks share an id
    class:  see `CLASSES`; a track keeps that of its first line, as its id does
    mask:   compressed run-length code. No two of a frame may overlap: the better score keeps the pixels

    What is in no track, of a class that MOTS does not know, or covered by better masks to the last pixel
    is left out and counted.
    """

    FIRST = 1
    """The number of the first frame of a video."""

    def __init__(self) -> None:
        self._counter = DetectionCounter()
        self._classes: dict[int, int] = {}  # track -> class

    def begin(self, info: SourceInfo, first: Result) -> str:
        """Return no header. Raises ConfigError without masks, tracks, or a class that MOTS knows."""
        refuse_boxes_and_strangers(first, "a MOTS file")
        names = first.detections.class_names
        if not any(name.casefold() in CLASSES for name in names):
            raise ConfigError(
                f"MOTS knows {', '.join(CLASSES)} and nothing else, the network knows {', '.join(names[:5])}"
                f"{', …' * (len(names) > 5)}; choose another format of tracks"
            )
        return ""

    def frame(self, result: Result, time: float) -> str:
        """See `TrackWriter.frame`."""
        known = self._known(result)
        alone = without_overlap(result.detections.select(known))
        tracks = tracks_of(result)
        assert alone.crops is not None
        lines = []
        for number, crop, found in zip(known, alone.crops, alone.to_coco(), strict=True):
            if not crop.area:
                self._counter.leave_out("without a pixel")
                continue
            track = tracks[number]
            kind = self._classes.setdefault(track, CLASSES[result.detections.names[number].casefold()])
            self._counter.add(track)
            height, width = found["segmentation"]["size"]
            mask = found["segmentation"]["counts"]
            lines.append(
                f"{result.frame.index + self.FIRST} {_id(track, kind)} {kind} {height} {width} {mask}\n"
            )
        return "".join(lines)

    def end(self) -> Iterator[str]:
        """Return no lines: the file is complete after each one."""
        return iter(())

    def told(self) -> str:
        """See `TrackWriter.told`."""
        over = sum(track >= _ROOM for track in self._classes)
        return f"{self._counter}; {over} with ids of more than 3 digits" if over else str(self._counter)

    def _known(self, result: Result) -> list[int]:
        """Indices of what is in a track and of a class that MOTS knows."""
        known = []
        for number, (track, name) in enumerate(zip(tracks_of(result), result.detections.names, strict=True)):
            if track < 0:
                self._counter.leave_out("in no track")
            elif name.casefold() not in CLASSES:
                self._counter.leave_out("of classes that MOTS does not know")
            else:
                known.append(number)
        return known


class KittiMotsText(MotsText):
    """The same for KITTI MOTS, which counts frames from 0: read as the other, every mask is a frame late."""

    FIRST = 0


def without_overlap(detections: Detections) -> Detections:
    """The same detections, whose masks share no pixel: the better score keeps it, of equals the first."""
    crops = list(detections.crops or ())
    taken = np.zeros(detections.image_size, dtype=bool)
    for number in np.argsort(-detections.scores, kind="stable"):
        crops[number] = _claim(crops[number], taken)
    return dataclasses.replace(detections, crops=tuple(crops))


def _claim(crop: MaskCrop, taken: NDArray[np.bool_]) -> MaskCrop:
    """Return the rest of a mask, and mark it as taken. taken: [H, W] bool"""
    height, width = crop.pixels.shape
    there = taken[crop.y : crop.y + height, crop.x : crop.x + width]
    left = crop.pixels & ~there
    there |= left
    return dataclasses.replace(crop, pixels=left)


def _id(track: int, kind: int) -> int:
    return kind * _ROOM + track if track < _ROOM else _BEYOND + track
