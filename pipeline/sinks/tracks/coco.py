"""Tracks as a data set in COCO's format: a picture a frame, with `track_id` beside what COCO defines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.frame import Result
from pipeline.sinks.tracks.base import (
    DetectionCounter,
    categories_of,
    category_of,
    compact_json,
    frame_name,
    tracks_of,
)
from pipeline.sources.base import SourceInfo


class CocoJson:
    """Writes COCO's object detection format (cocodataset.org/#format-data), whole only at its end.

    images:      `id` from 1, `file_name` (see `frame_name`), `width` and `height` in pixels, `frame_index`
                 counted by the source from 0, `time` in seconds
    annotations: `id` from 1, `image_id`, `category_id`, `bbox` (x, y, width, height in pixels), `area` in
                 pixels, `iscrowd` 0, `score`; `segmentation`, a compressed run-length code, where there are
                 masks (`area` is the box's where there are none); `track_id` for what is part of a track
    categories:  all classes of the network, `id` from 1

    Annotations come first, so that they need not be held; a line of some 100 bytes a frame is.
    """

    def __init__(self) -> None:
        self._counter = DetectionCounter()
        self._images: list[str] = []
        self._annotations = 0

    def begin(self, info: SourceInfo, first: Result) -> str:
        """See `TrackWriter.begin`."""
        self._info = info
        self._categories = categories_of(first)
        return f'{{"info":{compact_json({"description": info.name})},"licenses":[],\n"annotations":['

    def frame(self, result: Result, time: float) -> str:
        """See `TrackWriter.frame`."""
        text = "".join(map(self._line, self._records(result)))
        self._images.append(compact_json(self._image(result, time)))
        for track in tracks_of(result):
            self._counter.add(track)
        return text

    def end(self) -> Iterator[str]:
        """See `TrackWriter.end`."""
        yield '\n],\n"images":[\n'
        yield ",\n".join(self._images)
        yield f'\n],\n"categories":{compact_json(self._categories)}}}\n'

    def told(self) -> str:
        """See `TrackWriter.told`."""
        return str(self._counter)

    def _line(self, record: dict[str, Any]) -> str:
        self._annotations += 1
        comma = "," if self._annotations > 1 else ""
        return f"{comma}\n{compact_json({'id': self._annotations, **record})}"

    def _image(self, result: Result, time: float) -> dict[str, Any]:
        height, width = result.frame.size
        return {
            "id": len(self._images) + 1,
            "file_name": frame_name(self._info, result.frame),
            "width": width,
            "height": height,
            "frame_index": result.frame.index,
            "time": time,
        }

    def _records(self, result: Result) -> Iterator[dict[str, Any]]:
        crops = result.detections.crops
        tracks = tracks_of(result)
        for number, found in enumerate(result.detections.to_coco()):
            width, height = found["bbox"][2:]
            record = {
                "image_id": len(self._images) + 1,
                "category_id": category_of(result, number),
                "bbox": found["bbox"],
                "area": round(width * height, 2) if crops is None else crops[number].area,
                "iscrowd": 0,
                "score": found["score"],
            }
            if crops is not None:
                record["segmentation"] = found["segmentation"]
            if tracks[number] >= 0:
                record["track_id"] = tracks[number]
            yield record
