"""Detections drawn over their frame: filled masks, outlines, boxes, labels and a badge in the corner."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.detections import Detections
from pipeline.overlay.masks import fill, outline
from pipeline.overlay.palette import BLACK, COLOUR_BLIND_SAFE, Colour
from pipeline.overlay.text import Tag, paste
from pipeline.settings import DisplaySettings

Frame = NDArray[np.uint8]


@dataclass(frozen=True)
class OverlayStyle:
    """The parts of a result that are drawn, and their colours.

    masks:     whether masks are filled; outlines: whether their rims are drawn, with or without the fill
    alpha:     how much of a mask's colour covers the picture, 0 (nothing) .. 1 (all)
    colour_by: "instance" gives each detection its own colour (its track's, when it has one),
               "class" each class
    palette:   BGR colours, used in turn and again from the start when they run out
    """

    masks: bool = True
    outlines: bool = True
    boxes: bool = True
    labels: bool = True
    alpha: float = 0.45
    colour_by: Literal["instance", "class"] = "instance"
    palette: tuple[Colour, ...] = COLOUR_BLIND_SAFE


def style_of(display: DisplaySettings) -> OverlayStyle:
    """Return the style that display settings ask for."""
    return OverlayStyle(
        masks=display.masks,
        outlines=display.outlines,
        boxes=display.boxes,
        labels=display.labels,
        alpha=display.opacity,
        colour_by=display.colour_by,
    )


def draw(frame: Frame, detections: Detections, style: OverlayStyle | None = None, badge: str = "") -> Frame:
    """A copy of `frame` with `detections` drawn on it; the frame stays as it was.

    frame: [H, W, 3] uint8 BGR, the frame that the detections were computed from
    badge: a line of text for the top left corner, such as the frame rate; "" for none

    All masks come first, then all outlines, boxes and labels, so that no fill hides a line. Where
    instances overlap, the better score lies on top and keeps its own colour. Text that is larger than the
    frame is left out. Raises ValueError when frame and detections differ in size.
    """
    style = style or OverlayStyle()
    canvas = frame.copy()  # contiguous, however the frame lies in memory
    _check(canvas, detections)
    colours = _colours(detections, style)
    width = line_width(*detections.image_size)
    if style.masks and detections.crops is not None:
        fill(canvas, detections.crops, colours, style.alpha)
    if style.outlines and detections.crops is not None:
        for i in _worst_first(detections):
            outline(canvas, detections.crops[i], colours[i], width)
    if style.boxes:
        for i in _worst_first(detections):
            _box(canvas, detections.boxes[i], colours[i], (width + 1) // 2)
    draw_text_on(canvas, detections, style, badge)
    return canvas


def draw_text_on(
    canvas: Frame, detections: Detections, style: OverlayStyle | None = None, badge: str = ""
) -> None:
    """Draw the labels and the badge alone: what is left to do once a GPU has drawn everything else.

    canvas: [H, W, 3] uint8 BGR, contiguous and writeable; it is drawn on itself. Raises ValueError when it is
    not, or differs from the detections in size. See `draw`, which does this last.
    """
    style = style or OverlayStyle()
    _check(canvas, detections)
    size = font_size(*detections.image_size)
    colours = _colours(detections, style)
    for i in _worst_first(detections) if style.labels else ():
        words = (f"{detections.names[i]} ", f"{detections.scores[i]:.2f}")
        _label(canvas, detections.boxes[i], Tag(words, size, colours[i]))
    if badge:
        paste(canvas, Tag((badge,), size, BLACK), 0, 0)


def line_width(height: int, width: int) -> int:
    """Pixels of a mask's outline in such a frame: 1 on a thumbnail, 2 at 720p, 3 at 1080p, 6 at 12 MP."""
    return round(1 + _mean_side(height, width) / 700)


def font_size(height: int, width: int) -> int:
    """Height in pixels of letters in such a frame: it grows with the frame, though more slowly."""
    return round(10 + 0.011 * _mean_side(height, width))


def _mean_side(height: int, width: int) -> float:
    return float((height * width) ** 0.5)


def _check(canvas: Frame, detections: Detections) -> None:
    if canvas.shape[:2] != detections.image_size:
        raise ValueError(f"a frame of {canvas.shape[:2]} does not go with masks of {detections.image_size}")
    if not (canvas.flags.c_contiguous and canvas.flags.writeable):
        raise ValueError("expected a contiguous, writeable frame to draw on; `draw` draws on a copy")


def _worst_first(detections: Detections) -> Iterator[int]:
    return iter(range(len(detections) - 1, -1, -1))


def _colours(detections: Detections, style: OverlayStyle) -> list[Colour]:
    if style.colour_by == "class":
        keys = detections.classes
    elif detections.track_ids is not None:
        keys = detections.track_ids
    else:
        keys = np.arange(len(detections))
    return [style.palette[key % len(style.palette)] for key in keys]


def _box(canvas: Frame, box: NDArray[np.float32], colour: Colour, width: int) -> None:
    """Four lines along the inside of the box, so that they are whole at the frame's edges too."""
    left, top = (max(int(v), 0) for v in np.floor(box[:2]))
    right, bottom = (int(v) for v in np.ceil(box[2:]))
    inside = canvas[top:bottom, left:right]
    for line in (inside[:width], inside[-width:], inside[:, :width], inside[:, -width:]):
        line[:] = colour


def _label(canvas: Frame, box: NDArray[np.float32], tag: Tag) -> None:
    """The tag sits on the box, or inside it where the frame has no room above."""
    height, width = canvas.shape[:2]
    above = int(box[1]) - tag.height
    y = above if above >= 0 else min(max(int(box[1]), 0), height - tag.height)
    paste(canvas, tag, min(max(int(box[0]), 0), width - tag.width), y)
