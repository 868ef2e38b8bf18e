"""A source of your own: a camera that pans over a photograph, annotated as any video would be.

python -m examples.own_source assets/photos/cows.jpg out/pan.mp4
"""

import sys
import time
from fractions import Fraction
from pathlib import Path
from threading import Event

from model import load_predictor
from pipeline.builder import build_runner
from pipeline.frame import Frame, Image
from pipeline.overlay.draw import OverlayStyle
from pipeline.sinks.video import VideoSink
from pipeline.sources.base import SourceInfo
from pipeline.sources.images import read_image
from pipeline.tracking.options import FollowOptions


class Pan:
    """A window that moves over a picture from left to right. A `pipeline.sources.base.Source`."""

    warnings = ()  # what went wrong without ending the source: nothing can

    def __init__(self, picture: Image, frames: int = 50) -> None:
        self._picture, self._frames, self._next, self._ended = picture, frames, 0, Event()
        self.info = SourceInfo("pan", live=False, width=picture.shape[1] // 4 * 2, height=picture.shape[0])

    def read(self) -> Frame | None:
        """Return the next frame, or None at the end. Only one thread calls this."""
        if self._next >= self._frames or self._ended.is_set():
            return None
        number, self._next = self._next, self._next + 1
        left = number * (self._picture.shape[1] - self.info.width) // max(self._frames - 1, 1)
        image = self._picture[:, left : left + self.info.width].copy()
        # `pts` counts in units of the time base: frame 25 is shown at 25 * 1/25 s, exactly.
        return Frame(image, number, pts=number, time_base=Fraction(1, 25), captured_at=time.monotonic())

    def interrupt(self) -> None:
        """Let `read` return None from now on. Any thread may call this."""
        self._ended.set()

    close = interrupt  # a camera would be released here


def main(photo: str, output: str, weights: str | None = None, frames: int = 50) -> None:
    """Pan over a photograph and annotate what comes."""
    picture, sinks = read_image(Path(photo)), [VideoSink(Path(output), overwrite=True)]
    # The thread that reads opens the source; the event that it is given asks it to give up opening.
    opener, predictor = (lambda give_up: Pan(picture, frames)), load_predictor(weights)
    runner = build_runner(opener, predictor, sinks, OverlayStyle(), follow=FollowOptions())
    runner.start()
    report = runner.join()
    print(report.state.value, *(made.summary for made in report.sinks))


if __name__ == "__main__":
    main(*sys.argv[1:3])
