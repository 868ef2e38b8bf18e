"""Tracks in the two formats of YouTube-VIS: results as the challenge takes them, and a data set."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from model.errors import SinkError
from pipeline.frame import Result
from pipeline.sinks.frame_names import frames_stem
from pipeline.sinks.tracks.base import (
    DetectionCounter,
    categories_of,
    category_of,
    compact_json,
    frame_name,
    refuse_boxes_and_strangers,
    tracks_of,
)
from pipeline.sources.base import SourceInfo

_DIGIT, _MORE, _NEGATIVE = 0x1F, 0x20, 0x10
_BITS = 5  # of a number in each letter
_FIRST = 48  # the letter that stands for 0


_VIDEO = 1  # the id of the only video of a file


class _Track:
    """One track: in which frames it is, and what is told of it there; masks as their compressed codes."""

    def __init__(self) -> None:
        self.frames = array("q")
        self.codes: list[bytes] = []
        self.boxes: list[str] = []
        self.areas = array("q")
        self._scores = 0.0
        self._classes: Counter[int] = Counter()

    def add(self, frame: int, category: int, area: int, found: dict[str, Any]) -> None:
        """frame: its place among those that were written. found: a record of `Detections.to_coco`"""
        self.frames.append(frame)
        self.codes.append(found["segmentation"]["counts"].encode("ascii"))
        self.boxes.append(compact_json(found["bbox"]))
        self.areas.append(area)
        self._scores += found["score"]
        self._classes[category] += 1

    @property
    def score(self) -> float:
        """The mean of the scores of its detections, rounded to 5 places."""
        return round(self._scores / len(self.frames), 5)

    @property
    def category(self) -> int:
        """The class that it has most often, of equals the one that came first."""
        return self._classes.most_common(1)[0][0]

    def over(self, frames: int, present: Iterable[str]) -> Iterator[str]:
        """A list with a place for every frame, `null` where the track is absent. present: the others"""
        yield "["
        last = -1
        for frame, text in zip(self.frames, present, strict=True):
            yield f"{',' * (last >= 0)}{'null,' * (frame - last - 1)}{text}"
            last = frame
        yield ",null" * (frames - last - 1) + "]"


class _HoldsTracks:
    """The tracks of a video, held until its end: of every mask its code, and some 100 bytes."""

    def __init__(self) -> None:
        self._tracks: dict[int, _Track] = {}
        self._counter = DetectionCounter()
        self._names: list[str] = []
        self._size = (0, 0)

    def begin(self, info: SourceInfo, first: Result) -> str:
        """Return no text. Raises ConfigError without masks or tracks."""
        refuse_boxes_and_strangers(first, "a YouTube-VIS file")
        self._info = info
        self._size = first.frame.size
        self._categories = categories_of(first)
        return ""

    def frame(self, result: Result, time: float) -> str:
        """Collect a frame and return no text yet. Raises SinkError on a frame of another size."""
        if result.frame.size != self._size:
            raise SinkError(
                f"frame {result.frame.index} is of {result.frame.size[::-1]} pixels, those before of "
                f"{self._size[::-1]}; a video of YouTube-VIS has one size, choose another format of tracks"
            )
        assert result.detections.crops is not None
        records = result.detections.to_coco()
        compact_json([record["score"] for record in records])  # told with the frame, not at the end
        for number, (track, found) in enumerate(zip(tracks_of(result), records, strict=True)):
            area = result.detections.crops[number].area
            if track < 0 or not area:
                self._counter.leave_out("in no track" if track < 0 else "without a pixel")
                continue
            self._counter.add(track)
            self._tracks.setdefault(track, _Track()).add(
                len(self._names), category_of(result, number), area, found
            )
        # readers take the folder for the video's name
        self._names.append(f"{frames_stem(self._info)}/{frame_name(self._info, result.frame)}")
        return ""

    def told(self) -> str:
        """See `TrackWriter.told`."""
        return str(self._counter)

    def _segmentations(self, track: _Track, unpacked: bool) -> Iterator[str]:
        """The masks of a track, a place for every frame; `unpacked`: as lengths of runs, not as letters."""
        codes = (code.decode("ascii") for code in track.codes)
        size = list(self._size)
        present = (
            compact_json({"size": size, "counts": runs_of(code) if unpacked else code}) for code in codes
        )
        return track.over(len(self._names), present)


class YoutubeVisResults(_HoldsTracks):
    """Writes what the challenge takes (youtube-vos.org/dataset/vis): a list with an entry for each track.

    video_id:      1
    category_id:   the place of the class among those that the network knows, from 1
    score:         the mean of the scores of the track
    segmentations: for each frame that was written a compressed run-length code, or null

    The entries stand in the order in which the tracks came up. All codes are held until the end. What is in
    no track, or a mask without a pixel, is left out and counted.
    """

    def end(self) -> Iterator[str]:
        """Yield the text of the file in parts."""
        comma = "["
        for track in self._tracks.values():
            facts = compact_json({"video_id": _VIDEO, "category_id": track.category, "score": track.score})
            yield f'{comma}\n{facts[:-1]},"segmentations":'
            yield from self._segmentations(track, unpacked=False)
            yield "}"
            comma = ","
        yield "\n]\n" if self._tracks else "[]\n"


class YoutubeVisDataset(_HoldsTracks):
    """Writes the form of the labels of YouTube-VIS, which also says what frames and classes are called.

    videos:      one: `id` 1, `width` and `height` in pixels, `length` in frames, `file_names`
    categories:  all classes of the network, `id` from 1
    annotations: an entry for each track: `id` from 1, `track_id`, `video_id`, `category_id`, `iscrowd` 0,
                 `width`, `height`, `length`, `score`, and for each frame, null where it is absent,
                 `segmentations` (run-length codes with their numbers as numbers, as the data set has them),
                 `bboxes` (x, y, width, height in pixels) and `areas` in pixels

    Otherwise as `YoutubeVisResults`.
    """

    def end(self) -> Iterator[str]:
        """Yield the text of the file in parts."""
        yield f'{{"info":{compact_json({"description": self._info.name})},"licenses":[],\n"videos":['
        yield compact_json({"id": _VIDEO, **self._extent(), "file_names": self._names})
        yield f'],\n"categories":{compact_json(self._categories)},\n"annotations":['
        comma = ""
        for number, (name, track) in enumerate(self._tracks.items(), 1):
            yield f"{comma}\n"
            yield from self._annotation(number, name, track)
            comma = ","
        yield "\n]}\n"

    def _annotation(self, number: int, name: int, track: _Track) -> Iterator[str]:
        facts = {
            "id": number,
            "track_id": name,
            "video_id": _VIDEO,
            "category_id": track.category,
            "iscrowd": 0,
            **self._extent(),
            "score": track.score,
        }
        length = len(self._names)
        yield f'{compact_json(facts)[:-1]},"bboxes":'
        yield from track.over(length, track.boxes)
        yield ',"areas":'
        yield from track.over(length, map(str, track.areas))
        yield ',"segmentations":'
        yield from self._segmentations(track, unpacked=True)
        yield "}"

    def _extent(self) -> dict[str, int]:
        height, width = self._size
        return {"width": width, "height": height, "length": len(self._names)}


def runs_of(code: str) -> list[int]:
    """The lengths of the runs, column by column, the first one of 0s: [R], as `run_lengths` makes them.

    A letter holds 5 bits of a number, the lowest first, and whether more follow; the highest bit of the last
    one is the sign. From the fourth number on, what stands there is the difference to the last but one
    (COCO API, `maskApi.c`).
    """
    runs: list[int] = []
    value = shift = 0
    for letter in code:
        bits = ord(letter) - _FIRST
        value |= (bits & _DIGIT) << shift
        shift += _BITS
        if bits & _MORE:
            continue
        if bits & _NEGATIVE:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    return runs
