"""A session that is told what to show: the interface of LiveSession, without threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from model.detections import Detections, MaskCrop
from pipeline.frame import Frame, Inspection, Result
from pipeline.live.events import Closed, Event, Opened, Opening
from pipeline.live.network.comparison import ComparisonStatus
from pipeline.metrics.run import MetricsSnapshot, Span
from pipeline.settings import DetectionSettings, DisplaySettings
from pipeline.sinks.latest import LatestSink
from pipeline.sources.base import SourceInfo
from pipeline.stability.pair_score import Scores
from ui.control.source_names import label_of

SIZE = (240, 320)  # height, width


class StandInPlayback:
    """What plays: it does as it is told at once."""

    def __init__(self, duration: float | None = 10.0) -> None:
        self.playing, self.position, self.duration = True, 0.0, duration
        self.seekable, self.at_end, self.speed, self.loop = True, False, 1.0, False

    def play(self) -> None:
        self.playing = True

    def pause(self) -> None:
        self.playing = False

    def toggle(self) -> None:
        self.playing = not self.playing

    def step(self, count: int) -> None:
        self.playing = False
        self.position = max(0.0, self.position + count / 25)

    def seek(self, seconds: float) -> None:
        self.position = seconds

    def again(self) -> None:
        pass


class StandInSession:
    """Writes down what it is asked for in `asked`, as (method, arguments)."""

    def __init__(
        self, on_event: Callable[[Event], None], detection: DetectionSettings, display: DisplaySettings
    ) -> None:
        self.emit = on_event
        self.asked: list[tuple[Any, ...]] = [("detect", detection), ("display", display)]
        self.latest = LatestSink()
        self.playback: StandInPlayback | None = None
        self.metrics: MetricsSnapshot | None = None
        self.spans: tuple[Span, ...] = ()
        self.recording = False
        self.hidden_reason = ""
        self.comparison = ComparisonStatus()
        self.scores: Scores | None = None
        self.scores_problem = ""
        self.times: dict[int, float] = {}
        self.loaded = None
        self.closed = False

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *arguments, **options: self.asked.append((name, *arguments, *options.values()))

    def record(self, folder: Path, with_json: bool) -> None:
        self.asked.append(("record", folder, with_json))
        self.recording = True

    def stop_recording(self) -> None:
        self.asked.append(("stop_recording",))
        self.recording = False

    def seconds_of(self, track: int) -> float | None:
        return self.times.get(track)

    def close(self, timeout: float = 2.0) -> bool:
        self.closed = True
        return True

    def opens(
        self,
        name: str = "clip.mp4",
        live: bool = False,
        asked: str = "",
        pixel_aspect: Fraction = Fraction(1),
    ) -> None:
        """A source has been opened, by whomever. asked: what it was called until then."""
        duration = None if live else Fraction(10)
        info = SourceInfo(
            name, live, SIZE[1], SIZE[0], Fraction(25), duration=duration, pixel_aspect=pixel_aspect
        )
        self.latest = LatestSink()
        self.latest.open(info)
        self.playback = None if live else StandInPlayback()
        called = label_of(asked or name)
        self.emit(Opening(called))
        self.emit(Opened(info, not live, not live, called))

    def ends(self, name: str = "clip.mp4") -> None:
        """It has come to an end."""
        self.emit(Closed(label_of(name)))

    def gives(self, result: Result) -> None:
        """A result is there."""
        self.latest.write(result)


def result_of(
    colour: tuple[int, int, int] = (0, 128, 255),
    size: tuple[int, int] = SIZE,
    index: int = 0,
    timings: Mapping[str, float] | None = None,
    inspected: bool = False,
    selected: int | None = None,
) -> Result:
    """A plain picture (BGR) with two people in it, left and right."""
    height, width = size
    image = np.empty((height, width, 3), np.uint8)
    image[:] = colour
    boxes = np.array([[10, 20, 90, 220], [200, 30, 300, 230]], np.float32)
    crops = tuple(MaskCrop(int(b[0]), int(b[1]), np.ones((200, int(b[2] - b[0])), bool)) for b in boxes)
    scores = np.array([0.9, 0.7], np.float32)
    found = Detections(size, boxes, scores, np.zeros(2, np.int64), ("person",), crops, scores)
    rng = np.random.default_rng(0)
    inspection = Inspection(
        rng.random((30, 40, 8), np.float32), rng.uniform(-1, 1, (2, 8)).astype(np.float32)
    )
    return Result(
        Frame(image, index, index, Fraction(1, 25), time.monotonic()),
        found,
        timings or {},
        annotated=image,
        inspection=inspection if inspected else None,
        selected=selected,
    )
