"""Draws both sides of a comparison, with what they are and how still their masks are below them."""

from __future__ import annotations

import dataclasses

from model.detections import Detections
from pipeline.frame import Image, Result
from pipeline.live.tracks import Counterparts
from pipeline.overlay import OverlayStyle, draw
from pipeline.side_by_side_picture import captioned, compose, is_wide
from pipeline.side_by_side_score import RECENT, RunningScore
from pipeline.stability.records import StabilitySummary


class SideBySidePaint:
    """What the overlay stage of a comparison does; a `Paint`. It measures the results in their order.

    The pictures stand beside each other, those of wide frames above each other.
    An instance that both sides have found has one colour on both. The frame rate goes into a corner of the
    left picture only, for it is the run's, not a side's.
    """

    def __init__(self, captions: tuple[str, str], style: OverlayStyle, show_fps: bool = False) -> None:
        """captions: what the left and the right side are, in a few words each."""
        self._captions = captions
        self._style = style
        self._show_fps = show_fps
        self._scores = (RunningScore(), RunningScore())
        self._counterparts = Counterparts()

    def __call__(self, result: Result, fps: float) -> Result:
        """The result with both sides drawn. It comes from a `SideBySideDetector`.

        Raises ValueError when masks or tracks are missing, without which nothing can be measured.
        """
        assert result.other is not None, "the result of a comparison has another side"
        badge = f"{fps:.1f} fps" if self._show_fps else ""
        left = self._drawn(result, result.detections, 0, result.detections, badge)
        alike = self._counterparts(result.detections, result.other)
        right = self._drawn(result, result.other, 1, alike)
        return dataclasses.replace(result, annotated=compose(left, right, is_wide(*result.frame.size)))

    def summaries(self) -> tuple[StabilitySummary, StabilitySummary]:
        """The figures of both sides over all frames so far; not while results are drawn."""
        left, right = self._scores
        return left.summary(), right.summary()

    def _drawn(
        self, result: Result, found: Detections, side: int, shown: Detections, badge: str = ""
    ) -> Image:
        """One side's picture. found: what is measured; shown: the same in the colours that it is drawn in."""
        score = self._scores[side]
        score.add(result.frame, found)
        picture = draw(result.frame.image, shown, self._style, badge)
        return captioned(picture, (self._captions[side], score_line(score)))


def score_line(score: RunningScore) -> str:
    """The running score in a line of one length, such as "jitter  0.031  in the last 2 s,  0.045  in all"."""
    return f"jitter  {_figure(score.recent)}  in the last {RECENT:.0f} s,  {_figure(score.mean)}  in all"


def _figure(value: float | None) -> str:
    return "-----" if value is None else f"{value:.3f}"
