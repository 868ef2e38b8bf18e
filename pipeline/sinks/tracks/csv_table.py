"""Tracks as a table (RFC 4180): a row a detection, under a header."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from model.detections import MaskCrop
from pipeline.frame import Result
from pipeline.sinks.tracks.base import DetectionCounter, tracks_of
from pipeline.sources.base import SourceInfo

COLUMNS = (
    *("frame", "time", "track", "class", "score", "area", "centre_x", "centre_y"),
    *("x1", "y1", "x2", "y2"),
)

Row = tuple[object, ...]


class CsvTable:
    """Writes the columns of `COLUMNS`.

    frame:    counted by the source from 0
    time:     seconds, rounded to 9 places; the same as in the JSON lines of a run
    track:    empty for what is part of no track
    class:    its name
    score:    rounded to 5 places
    area:     of the mask, in pixels; of the box where there are no masks, rounded to 2 places
    centre_x: of the mask, or of the box where there are no masks; in pixels from the left edge of the frame,
              as boxes count them (the centre of the first pixel is 0.5), rounded to 2 places; empty where the
              mask is
    centre_y: the same from the upper edge
    x1 to y2: the box's left, upper, right and lower side, counted likewise and rounded to 2 places

    A frame on which nothing was found has no row.
    """

    def __init__(self) -> None:
        self._counter = DetectionCounter()

    def begin(self, info: SourceInfo, first: Result) -> str:
        """The header."""
        return _text([COLUMNS])

    def frame(self, result: Result, time: float) -> str:
        """See `TrackWriter.frame`."""
        found = result.detections
        rows: list[Row] = []
        for number, (track, name) in enumerate(zip(tracks_of(result), found.names, strict=True)):
            score = round(float(found.scores[number]), 5)
            place = _of_box(found.boxes[number]) if found.crops is None else _of_mask(found.crops[number])
            box = tuple(round(float(side), 2) for side in found.boxes[number])
            _refuse_no_numbers(score, *place, *box)
            centre = ("", "") if place[0] == 0 and found.crops is not None else place[1:]
            called = (track if track >= 0 else "", name)
            rows.append((result.frame.index, time, *called, score, place[0], *centre, *box))
            self._counter.add(track)
        return _text(rows)

    def end(self) -> Iterator[str]:
        """Return no rows: the table is complete after each one."""
        return iter(())

    def told(self) -> str:
        """See `TrackWriter.told`."""
        return str(self._counter)


def centre_of(crop: MaskCrop) -> tuple[float, float]:
    """Mean (x, y) of a mask's pixels in frame coordinates, in which a pixel's centre is at 0.5; not empty."""
    down, across = crop.pixels.sum(axis=0), crop.pixels.sum(axis=1)  # [w], [h]
    area = down.sum()
    x = crop.x + 0.5 + float(down @ np.arange(len(down))) / area
    y = crop.y + 0.5 + float(across @ np.arange(len(across))) / area
    return float(x), float(y)


def _of_mask(crop: MaskCrop) -> tuple[float, float, float]:
    """Area and centre; the centre of an empty mask is nowhere, and given as 0."""
    if not (area := crop.area):
        return 0, 0.0, 0.0
    x, y = centre_of(crop)
    return area, round(x, 2), round(y, 2)


def _of_box(box: NDArray[np.float32]) -> tuple[float, float, float]:
    x1, y1, x2, y2 = (float(side) for side in box)
    return round((x2 - x1) * (y2 - y1), 2), round((x1 + x2) / 2, 2), round((y1 + y2) / 2, 2)


def _refuse_no_numbers(*values: float) -> None:
    for value in values:
        if not math.isfinite(value):
            raise ValueError(f"{value} is no number for a table")


def _text(rows: list[Row]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()
