"""Draws both sides of a comparison, with what they are and how still their masks are below them."""

from __future__ import annotations

import dataclasses

from model.detections import Detections
from pipeline.frame import Frame, Image, Result
from pipeline.overlay.draw import OverlayStyle, draw
from pipeline.overlay.side_by_side import captioned, compose, is_wide
from pipeline.stability.motion import MotionEstimator
from pipeline.stability.pair_score import RECENT, SideMeter
from pipeline.stability.records import StabilitySummary
from pipeline.tracking.display_ids import Counterparts


class SideBySidePaint:
    """What the overlay stage of a comparison does; a `Paint`. It measures the results in their order.

    The pictures stand beside each other, those of wide frames above each other. An instance that both sides
    have found has one colour on both. The frame rate goes into a corner of the left picture only, for it is
    the run's, not a side's.
    """

    def __init__(self, captions: tuple[str, str], style: OverlayStyle, show_fps: bool = False) -> None:
        """captions: what the left and the right side are, in a few words each."""
        self._captions = captions
        self._style = style
        self._show_fps = show_fps
        self._meters = (SideMeter(), SideMeter())
        self._motion = MotionEstimator()
        self._counterparts = Counterparts()

    def __call__(self, result: Result, fps: float) -> Result:
        """The result with both sides drawn. It comes from a `PairedDetector`.

        Raises ValueError when masks or tracks are missing, without which nothing can be measured.
        """
        assert result.other is not None, "the result of a comparison has another side"
        self._measure(result.frame, (result.detections, result.other))
        badge = f"{fps:.1f} fps" if self._show_fps else ""
        left = self._drawn(result, result.detections, 0, badge)
        right = self._drawn(result, self._counterparts(result.detections, result.other), 1)
        return dataclasses.replace(result, annotated=compose(left, right, is_wide(*result.frame.size)))

    def summaries(self) -> tuple[StabilitySummary, StabilitySummary]:
        """The figures of both sides over all frames so far; not while results are drawn."""
        left, right = self._meters
        return left.summary(), right.summary()

    def _measure(self, frame: Frame, sides: tuple[Detections, Detections]) -> None:
        motion = self._motion(frame.image, float(frame.time))
        for meter, found in zip(self._meters, sides, strict=True):
            meter.add(frame, found, motion)

    def _drawn(self, result: Result, shown: Detections, side: int, badge: str = "") -> Image:
        """One side's picture. shown: its detections in the colours that they are drawn in."""
        picture = draw(result.frame.image, shown, self._style, badge)
        return captioned(picture, (self._captions[side], score_line(self._meters[side])))


def score_line(meter: SideMeter) -> str:
    """The running score in a line of one length, such as "jitter  0.031  in the last 2 s,  0.045  in all"."""
    return f"jitter  {_figure(meter.recent)}  in the last {RECENT:.0f} s,  {_figure(meter.mean)}  in all"


def _figure(value: float | None) -> str:
    return "-----" if value is None else f"{value:.3f}"
