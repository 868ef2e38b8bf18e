"""Painting of live results, by settings that change meanwhile."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from model.detections import Detections, no_detections
from model.errors import SourceError
from pipeline.frame import Image, Inspection, Result
from pipeline.live.background import Background
from pipeline.live.privacy.filter import PrivacyFilter
from pipeline.live.selection import Selection, same_instance
from pipeline.overlay.draw import OverlayStyle, draw, line_width, style_of
from pipeline.settings import DisplaySettings
from pipeline.sources.images import read_image
from pipeline.tracking.display_ids import TrackMatcher, TrackTimes

SelectRows = Callable[[Detections], NDArray[np.int64]]
"""Returns the rows, [n], of the detections that are shown, in their order."""

_DIMMED = 0.4  # of the brightness of what is not selected


@dataclass(frozen=True, eq=False)
class _Look:
    """Display settings, and what was made of them."""

    display: DisplaySettings
    style: OverlayStyle
    background: Background
    picture: Image | None = None
    problem: str = ""


class LivePainter:
    """A `pipeline.stages.Paint`, called by one thread; everything else may be called from any.

    People are hidden first of all, so that nothing later can show them: neither what is left out because it
    is not wanted or too weak, nor the background, nor the selection. The other side of a comparison is left
    out then.

    A result with another side is painted as one picture: left of a line as it was found, right of it as the
    other side found it. Selected and told is what the left side found.

    shown: chooses among the detections where more are looked for than the user wants to see
    """

    def __init__(self, display: DisplaySettings, shown: SelectRows | None = None) -> None:
        self.shown = shown
        self.split = 0.5
        """Position of a comparison's line, 0..1 of the width; set from any thread."""
        self.tracks = TrackTimes()
        self._matcher = TrackMatcher()
        self._look = _look(display, None)
        self._privacy = PrivacyFilter()
        self._selection = Selection()
        # the newest choice that is not looked at yet; None for that of nothing
        self._picked: deque[Detections | None] = deque(maxlen=1)
        self._hidden_reason = ""

    @property
    def display(self) -> DisplaySettings:
        """The present display settings."""
        return self._look.display

    @display.setter
    def display(self, display: DisplaySettings) -> None:
        """Apply settings from the next frame on; another picture for the background is read here."""
        self._look = _look(display, self._look)

    @property
    def picture_problem(self) -> str:
        """A message about why the background picture is not used; empty when all is well."""
        return self._look.problem

    @property
    def hidden_reason(self) -> str:
        """A message about why the newest frame is hidden as a whole; empty when it is not."""
        return self._hidden_reason

    def select(self, instance: Detections) -> None:
        """Select from the next frame on what was shown as this, one row of a result's detections."""
        self._picked.append(instance)

    def deselect(self) -> None:
        """Select nothing from the next frame on."""
        self._picked.append(None)

    def __call__(self, result: Result, fps: float) -> Result:
        """The result with `annotated` and `selected`, and without people where privacy is asked for."""
        look = self._look
        return self._painted(result, fps, look, look.display.privacy)

    def hidden(self, result: Result, fps: float) -> Result:
        """The same with the whole frame hidden, whatever is set: it is not known who is in it."""
        unknown = no_detections(result.frame.size, ())
        result = dataclasses.replace(result, detections=unknown, inspection=None)
        return self._painted(result, fps, self._look, private=True)

    def _painted(self, result: Result, fps: float, look: _Look, private: bool) -> Result:
        result = self._private(result) if private else self._public(result)
        result = _reduced(result, self.shown)
        self.tracks.note(result.detections, float(result.frame.time))
        selected = self._selected(result)
        badge = f"{fps:.1f} fps" if look.display.show_fps else ""
        annotated = _drawn(result.frame.image, result.detections, selected, look, badge)
        if result.other is None:
            self._matcher.forget()
        else:
            _put_right(annotated, self._other_side(result, result.other, selected, look), self.split)
        return dataclasses.replace(result, annotated=annotated, selected=selected)

    def _other_side(self, result: Result, other: Detections, selected: int | None, look: _Look) -> Image:
        """The whole frame as the other side found it."""
        same = None if selected is None else same_instance(result.detections.select([selected]), other)
        other = self._matcher(result.detections, other)
        return _drawn(result.frame.image, other, same, look, "")

    def _private(self, result: Result) -> Result:
        result = dataclasses.replace(self._privacy(result), other=None, proposals=None)
        self._hidden_reason = self._privacy.reason
        return result

    def _public(self, result: Result) -> Result:
        self._privacy.reset()
        self._hidden_reason = ""
        return result

    def _selected(self, result: Result) -> int | None:
        now = result.frame.captured_at
        while self._picked:
            self._selection.pick(self._picked.popleft(), now)
        return self._selection.find(result.detections, now)


def _drawn(image: Image, detections: Detections, selected: int | None, look: _Look, badge: str) -> Image:
    """A picture of its own."""
    picture = look.background(image, detections)
    if selected is None:
        return draw(picture, detections, look.style, badge)
    return _draw_selected(picture, detections, selected, look.style, badge)


def _put_right(picture: Image, other: Image, split: float) -> None:
    """Show `other` to the right of the line, which is drawn where the two meet, light between dark."""
    height, width = picture.shape[:2]
    at = round(min(max(split, 0.0), 1.0) * width)
    picture[:, at:] = other[:, at:]
    half = (line_width(height, width) + 1) // 2
    for reach, shade in ((half + 1, 0), (half, 255)):
        picture[:, max(at - reach, 0) : at + reach] = shade


def _look(display: DisplaySettings, before: _Look | None) -> _Look:
    path, picture, problem = _wanted_picture(display), None, ""
    if before is not None and _wanted_picture(before.display) == path:
        picture, problem = before.picture, before.problem
    elif path is not None:
        picture, problem = _picture(path)
    background = Background(display.background, display.background_colour, picture)
    return _Look(display, style_of(display), background, picture, problem)


def _wanted_picture(display: DisplaySettings) -> Path | None:
    return display.background_picture if display.background == "picture" else None


def _picture(path: Path) -> tuple[Image | None, str]:
    """The picture, or why there is none."""
    try:
        return read_image(path), ""
    except SourceError as error:
        return None, str(error)


def _reduced(result: Result, shown: SelectRows | None) -> Result:
    """The result with the detections that are to be shown, and with their rows of coefficients."""
    if shown is None:
        return result
    everything = result.detections
    rows = shown(everything)
    if len(rows) == len(everything):
        return result
    inspection = result.inspection
    if inspection is not None:
        places = None if inspection.places is None else inspection.places[rows]
        inspection = Inspection(inspection.prototypes, inspection.coefficients[rows], places)
    return dataclasses.replace(result, detections=everything.select(rows), inspection=inspection)


def _draw_selected(
    picture: Image, detections: Detections, selected: int, style: OverlayStyle, badge: str
) -> Image:
    """Draw the selected instance on top in its own colour, and dim everything else."""
    if detections.track_ids is None:  # colours go by rows, and the rows are about to change
        detections = dataclasses.replace(detections, track_ids=np.arange(len(detections)))
    one = detections.select([selected])
    others = detections.select(np.arange(len(detections)) != selected)
    dimmed = np.asarray(cv2.convertScaleAbs(draw(picture, others, style), alpha=_DIMMED), np.uint8)
    _light_up(dimmed, picture, one)
    return draw(dimmed, one, style, badge)


def _light_up(canvas: Image, picture: Image, one: Detections) -> None:
    """Show the picture itself where an instance is: its mask, or its box without masks."""
    if one.crops is not None and one.crops[0].pixels.size:
        crop = one.crops[0]
        h, w = crop.pixels.shape
        window = np.s_[crop.y : crop.y + h, crop.x : crop.x + w]
        cv2.copyTo(picture[window], np.ascontiguousarray(crop.pixels).view(np.uint8), canvas[window])
        return
    left, top = np.floor(one.boxes[0, :2]).astype(int)
    right, bottom = np.ceil(one.boxes[0, 2:]).astype(int)
    canvas[top:bottom, left:right] = picture[top:bottom, left:right]
