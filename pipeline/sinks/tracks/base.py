"""The protocol of formats of tracks, and their common parts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Protocol

from model.errors import ConfigError
from pipeline.frame import Frame, Result
from pipeline.sinks.frame_names import numbered
from pipeline.sources.base import SourceInfo


class TrackWriter(Protocol):
    """Turns results, in their order, into the text of one file. Knows no files."""

    def begin(self, info: SourceInfo, first: Result) -> str:
        """Return the text before the first frame; `first` is that frame, which `frame` gets too.

        Raises ConfigError where the format cannot hold such results.
        """

    def frame(self, result: Result, time: float) -> str:
        """Return the text of one frame; may be empty. time: seconds since the output's origin.

        Raises ValueError on a number that is none, SinkError on what the format has no place for.
        """

    def end(self) -> Iterator[str]:
        """Yield the text after the last frame, piece by piece; makes the file whole after any frame."""

    def told(self) -> str:
        """Return one line about what went in, and what was left out and why."""


class DetectionCounter:
    """Counts of detections; prints as "8 detections, 2 tracks; left out: 3 in no track"."""

    def __init__(self) -> None:
        self._detections = 0
        self._tracks: set[int] = set()
        self._left_out: Counter[str] = Counter()

    def add(self, track: int) -> None:
        """Count a detection that was written; a track below 0 is none."""
        self._detections += 1
        if track >= 0:
            self._tracks.add(track)

    def leave_out(self, why: str) -> None:
        """Count a detection that was not; `why` reads on after a number: "in no track"."""
        self._left_out[why] += 1

    def __str__(self) -> str:
        detections, tracks = self._detections, len(self._tracks)
        told = f"{detections} detection{'s' * (detections != 1)}, {tracks} track{'s' * (tracks != 1)}"
        reasons = ", ".join(f"{count} {why}" for why, count in self._left_out.items())
        return f"{told}; left out: {reasons}" if reasons else told


def tracks_of(result: Result) -> list[int]:
    """The track of each detection of a frame, -1 for none; all -1 without tracking."""
    found = result.detections
    return [-1] * len(found) if found.track_ids is None else [int(track) for track in found.track_ids]


def category_of(result: Result, number: int) -> int:
    """The id of a detection's class where ids count from 1: its place among the class names."""
    return int(result.detections.classes[number]) + 1


def categories_of(result: Result) -> list[dict[str, object]]:
    """Return the classes of the network as COCO categories, ids from 1."""
    return [{"id": number, "name": name} for number, name in enumerate(result.detections.class_names, 1)]


def compact_json(record: Any) -> str:
    """JSON without spaces. Raises ValueError on a number that is none."""
    return json.dumps(record, separators=(",", ":"), allow_nan=False)


def frame_name(info: SourceInfo, frame: Frame) -> str:
    """Return the name of a picture: its own, or that in a folder of all frames."""
    return frame.name or f"{numbered(info, frame)}.jpg"


def refuse_boxes_and_strangers(result: Result, what: str) -> None:
    """Raise ConfigError if masks or tracks are missing, for a format of tracked masks named `what`."""
    if not result.detections.has_masks:
        raise ConfigError(f"{what} holds masks, and only boxes were asked for; look for masks too")
    if result.detections.track_ids is None:
        raise ConfigError(f"{what} holds tracks, and nobody tracked; switch tracking on")
