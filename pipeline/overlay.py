"""Detections drawn over their frame: filled masks, outlines, boxes and labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from model.detections import Detections, MaskCrop
from pipeline.palette import COLOUR_BLIND_SAFE, Colour, text_colour

Frame = NDArray[np.uint8]


@dataclass(frozen=True)
class OverlayStyle:
    """What is drawn, and in which colours.

    alpha:     how much of a mask's colour covers the picture, 0 (nothing) .. 1 (all)
    colour_by: "instance" gives each detection its own colour (its track's, when it has one),
               "class" each class
    palette:   BGR colours, used in turn and again from the start when they run out
    """

    masks: bool = True
    boxes: bool = True
    labels: bool = True
    alpha: float = 0.45
    colour_by: Literal["instance", "class"] = "instance"
    palette: tuple[Colour, ...] = COLOUR_BLIND_SAFE


def draw(frame: Frame, detections: Detections, style: OverlayStyle | None = None) -> Frame:
    """A copy of `frame` with `detections` drawn on it; the frame itself stays as it was.

    frame: [H, W, 3] uint8 BGR, the frame that the detections were computed from

    All masks come first, then all outlines, boxes and labels, so that no fill hides a line. Where
    instances overlap, the better score lies on top. A label that is larger than the frame is left out.
    Raises ValueError when frame and detections differ in size.
    """
    if frame.shape[:2] != detections.image_size:
        raise ValueError(f"a frame of {frame.shape[:2]} does not go with masks of {detections.image_size}")
    style = style or OverlayStyle()
    canvas = np.ascontiguousarray(frame).copy()
    width = line_width(frame)
    colours = _colours(detections, style)
    if style.masks and detections.crops is not None:
        for i in _worst_first(detections):
            _fill(frame, canvas, detections.crops[i], colours[i], style.alpha)
        for i in _worst_first(detections):
            _outline(canvas, detections.crops[i], colours[i], width)
    if style.boxes:
        for i in _worst_first(detections):
            _box(canvas, detections.boxes[i], colours[i], (width + 1) // 2)
    if style.labels:
        for i in _worst_first(detections):
            text = f"{detections.names[i]} {detections.scores[i]:.2f}"
            _label(canvas, detections.boxes[i], text, colours[i])
    return canvas


def line_width(frame: Frame) -> int:
    """Width in pixels of a mask's outline: 1 on a thumbnail, 2 at 720p, 3 at 1080p, 6 at 12 megapixels."""
    return round(1 + _mean_side(frame) / 700)


def font_size(frame: Frame) -> int:
    """Height in pixels of a label's letters: it grows with the frame, though more slowly than the frame."""
    return round(10 + 0.011 * _mean_side(frame))


def _mean_side(frame: Frame) -> float:
    return float((frame.shape[0] * frame.shape[1]) ** 0.5)


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


def _fill(frame: Frame, canvas: Frame, crop: MaskCrop, colour: Colour, alpha: float) -> None:
    """Tint the mask's pixels of `canvas`.

    The tint is made of the clean frame, so that the topmost of overlapping masks keeps its own colour
    instead of blending with those beneath.
    """
    if crop.pixels.size == 0:
        return
    h, w = crop.pixels.shape
    window = np.s_[crop.y : crop.y + h, crop.x : crop.x + w]
    tinted = cv2.LUT(np.ascontiguousarray(frame[window]), _tint_table(colour, alpha))
    cv2.copyTo(tinted, np.ascontiguousarray(crop.pixels).view(np.uint8), canvas[window])


def _tint_table(colour: Colour, alpha: float) -> NDArray[np.uint8]:
    """What each channel value becomes under the tint: [256, 1, 3] uint8, as cv2.LUT wants it."""
    values = np.arange(256, dtype=np.float32)[:, None, None]
    mixed = values * (1 - alpha) + np.asarray(colour, np.float32) * alpha
    return np.rint(mixed).astype(np.uint8)


def _outline(canvas: Frame, crop: MaskCrop, colour: Colour, width: int) -> None:
    if crop.pixels.size == 0:
        return
    mask = np.ascontiguousarray(crop.pixels).view(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=(crop.x, crop.y))
    cv2.drawContours(canvas, contours, -1, colour, width, cv2.LINE_AA)


def _box(canvas: Frame, box: NDArray[np.float32], colour: Colour, width: int) -> None:
    """Four lines along the inside of the box, so that they are whole at the frame's edges too."""
    left, top = (max(int(v), 0) for v in np.floor(box[:2]))
    right, bottom = (int(v) for v in np.ceil(box[2:]))
    inside = canvas[top:bottom, left:right]
    for line in (inside[:width], inside[-width:], inside[:, :width], inside[:, -width:]):
        line[:] = colour


def _label(canvas: Frame, box: NDArray[np.float32], text: str, colour: Colour) -> None:
    """The text on a filled tag that sits on the box, or inside it where the frame has no room above."""
    ink = _text_coverage(text, font_size(canvas))  # [h, w], 0..1
    h, w = ink.shape
    height, breadth = canvas.shape[:2]
    if h > height or w > breadth:
        return
    x = min(max(int(box[0]), 0), breadth - w)
    above = int(box[1]) - h
    y = above if above >= 0 else min(max(int(box[1]), 0), height - h)
    paper = np.asarray(colour, np.float32)
    letters = np.asarray(text_colour(colour), np.float32)
    tag = paper + (letters - paper) * ink[..., None]
    canvas[y : y + h, x : x + w] = np.rint(tag).astype(np.uint8)


def _text_coverage(text: str, size: int) -> NDArray[np.float32]:
    """One line of text with a margin: how much of each pixel is ink, [h, w] float32 in 0..1."""
    font = _font(size)
    ascent, descent = font.getmetrics()
    margin = max(2, size // 4)
    width = int(np.ceil(font.getlength(text))) + 2 * margin
    picture = Image.new("L", (width, ascent + descent + margin))
    ImageDraw.Draw(picture).text((margin, margin // 2), text, fill=255, font=font)
    return np.asarray(picture, np.float32) / np.float32(255)


@lru_cache(maxsize=16)
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own typeface: the same letters on every machine, whatever fonts it has."""
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font
