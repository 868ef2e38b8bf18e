"""The picture of a comparison: both sides drawn, and below each what it is and how still its masks are."""

from __future__ import annotations

import dataclasses
import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from model.detections import Detections
from pipeline.frame import Image, Result
from pipeline.overlay.draw import OverlayStyle, draw, font_size
from pipeline.overlay.palette import BLACK
from pipeline.overlay.text import Tag, paste
from pipeline.stability.pair_score import RECENT_FILM, PairMeter
from pipeline.stability.records import StabilitySummary
from pipeline.tracking.display_ids import TrackMatcher

GAP = 4  # pixels between the pictures; even, so that the whole is
WIDEST = 2  # times its height: a wider frame goes above the other one, not beside it

_SMALLEST = 8  # pixels, of letters that can still be read
_ELLIPSIS = "..."
_WORD = re.compile(r"\s*\S+\s*")


class SideBySidePaint:
    """The `Paint` of a comparison's overlay stage. It measures the results in their order.

    The pictures stand beside each other, those of wide frames above each other. An instance that both sides
    have found has one colour on both. The frame rate goes into a corner of the left picture only, for it is
    the run's, not a side's.
    """

    def __init__(self, captions: tuple[str, str], style: OverlayStyle, show_fps: bool = False) -> None:
        """captions: what the left and the right side are, in a few words each."""
        self._captions = captions
        self._style = style
        self._show_fps = show_fps
        self._meter = PairMeter(RECENT_FILM)
        self._matcher = TrackMatcher()

    def __call__(self, result: Result, fps: float) -> Result:
        """The result with both sides drawn. It comes from a `PairedDetector`.

        Raises ValueError when masks or tracks are missing, without which nothing can be measured.
        """
        assert result.other is not None, "the result of a comparison has another side"
        self._meter.add(result, float(result.frame.time))
        badge = f"{fps:.1f} fps" if self._show_fps else ""
        left = self._drawn(result, result.detections, 0, badge)
        right = self._drawn(result, self._matcher(result.detections, result.other), 1)
        return dataclasses.replace(result, annotated=compose(left, right, is_wide(*result.frame.size)))

    def summaries(self) -> tuple[StabilitySummary, StabilitySummary]:
        """The figures of both sides over all frames so far; not while results are drawn."""
        return self._meter.summaries()

    def _drawn(self, result: Result, shown: Detections, side: int, badge: str = "") -> Image:
        """One side's picture. shown: its detections in the colours that they are drawn in."""
        picture = draw(result.frame.image, shown, self._style, badge)
        return captioned(picture, (self._captions[side], score_line(self._meter, side)))


def score_line(meter: PairMeter, side: int) -> str:
    """The running score in a line of one length, such as "jitter  0.031  in the last 2 s,  0.045  in all"."""
    recent = None if meter.scores is None else meter.scores[side].jitter
    return (
        f"jitter  {_figure(recent)}  in the last {RECENT_FILM:.0f} s,  {_figure(meter.means[side])}  in all"
    )


def _figure(value: float | None) -> str:
    return "-----" if value is None else f"{value:.3f}"


def is_wide(height: int, width: int) -> bool:
    """Return True if two frames of this size are stacked rather than placed side by side."""
    return width > WIDEST * height


def compose(left: Image, right: Image, stacked: bool = False) -> Image:
    """Two pictures of one size as one: beside each other or, stacked, the left one above the right one.

    left, right: [H, W, 3] uint8 BGR. The result is a new array of even width and height, as encoders want it.
    Raises ValueError when the sizes differ.
    """
    _check(left, right)
    height, width = left.shape[:2]
    if stacked:
        whole = _canvas(2 * height + GAP, width)
        whole[height + GAP : 2 * height + GAP, :width] = right
    else:
        whole = _canvas(height, 2 * width + GAP)
        whole[:height, width + GAP : 2 * width + GAP] = right
    whole[:height, :width] = left
    return whole


def captioned(picture: Image, lines: Sequence[str]) -> Image:
    """The picture with lines of text on a dark strip below it, in a new array.

    picture: [H, W, 3] uint8 BGR. The letters become smaller where a line is too long, and its end is left out
    where it still is. The strip's height depends on the picture's size and the number of lines alone, so that
    all pictures of a video stay alike. It is even.
    """
    height, width = picture.shape[:2]
    size = font_size(height, width)
    pitch = Tag(("Ag",), size, BLACK).height
    strip = len(lines) * pitch + size // 2
    whole = np.zeros((height + strip + strip % 2, width, 3), np.uint8)
    whole[:height] = picture
    for number, line in enumerate(lines):
        tag = _fitting(line, size, width)
        paste(whole, tag, 0, height + size // 4 + number * pitch + (pitch - tag.height) // 2)
    return whole


@lru_cache(maxsize=16)
def _fitting(line: str, size: int, width: int) -> Tag:
    """The line in letters that fit into the width; its end is cut off where the smallest do not.

    Kept for what stands there all the time, because letters are drawn to see how much room they take.
    """
    while _tag(line, size).width > width and size > _SMALLEST:
        size -= 1
    if _tag(line, size).width <= width:
        return _tag(line, size)
    most = bisect_left(range(len(line)), width, key=lambda end: _tag(line[:end] + _ELLIPSIS, size).width)
    return _tag(line[: max(most - 1, 0)] + _ELLIPSIS, size)


def _tag(line: str, size: int) -> Tag:
    """Word by word, for words come again where lines do not."""
    return Tag(tuple(_WORD.findall(line)) or ("",), size, BLACK)


def _canvas(height: int, width: int) -> Image:
    return np.zeros((height + height % 2, width + width % 2, 3), np.uint8)


def _check(left: Image, right: Image) -> None:
    if left.shape != right.shape:
        raise ValueError(f"pictures of one frame have one size, got {left.shape} and {right.shape}")
