"""Playing sources in a thread of its own, for tests."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from time import thread_time
from types import TracebackType

import cv2
import numpy as np

from pipeline.frame import Frame
from pipeline.live.playing.playback import Playback
from pipeline.live.playing.source import PlayedSource
from pipeline.sources.base import Source
from pipeline.sources.sequence import open_images

PATIENCE = 20.0  # seconds; far more than an idle machine takes
COUNT = 20
RATE = 100  # frames a second

Play = Callable[..., tuple["Watcher", Playback]]


def write_images(folder: Path, count: int = COUNT) -> list[Path]:
    """Pictures the grey of which is their number."""
    paths = [folder / f"{number:02}.png" for number in range(count)]
    for number, path in enumerate(paths):
        assert cv2.imwrite(str(path), np.full((6, 10, 3), number, np.uint8))
    return paths


def play_images(
    folder: Path, count: int = COUNT, rate: Fraction | int = RATE, paused: bool = False
) -> tuple[Watcher, Playback]:
    """A sequence of images that is about to be played."""
    control = Playback()
    if paused:
        control.pause()
    return Watcher(PlayedSource(open_images(write_images(folder, count), Fraction(rate)), control)), control


class Watcher:
    """Reads until the source ends or the context is left; the source is closed then."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._frames: queue.Queue[Frame | None] = queue.Queue()
        self._thread = threading.Thread(target=self._read, name="watcher")
        self.seen: list[Frame] = []
        self.cpu_seconds = 0.0
        self.error: Exception | None = None

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.source.interrupt()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def frame(self) -> Frame:
        """The next frame."""
        frame = self._frames.get(timeout=PATIENCE)
        assert frame is not None, f"the source ended, {self.error}"
        self.seen.append(frame)
        return frame

    def frames(self, count: int) -> list[Frame]:
        """So many frames."""
        return [self.frame() for _ in range(count)]

    def until(self, pts: int) -> Frame:
        """The next frame with this stamp."""
        while (frame := self.frame()).pts != pts:
            pass
        return frame

    def ends(self) -> bool:
        """Whether the reading comes to its end."""
        while self._frames.get(timeout=PATIENCE) is not None:
            pass
        return True

    def has_none(self, seconds: float = 0.1) -> bool:
        """Whether no frame comes for a while."""
        try:
            self._frames.get(timeout=seconds)
        except queue.Empty:
            return True
        return False

    def _read(self) -> None:
        begun = thread_time()
        try:
            while (frame := self.source.read()) is not None:
                self._frames.put(frame)
        except Exception as error:
            self.error = error
        finally:
            self.cpu_seconds = thread_time() - begun
            self._frames.put(None)
            self.source.close()
