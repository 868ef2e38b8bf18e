"""Pictures of proposals: scores and masks over the frame, and the steps from a window to its mask."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QColor, QImage, QPainter

from model.detections import MaskCrop
from pipeline.frame import Image
from pipeline.native_memory import SLACK
from pipeline.overlay.palette import COLOUR_BLIND_SAFE
from ui.panels.pictures import grey

if TYPE_CHECKING:
    from model.sharpmask.inspection import MaskGrowth, Place, ScoreMap

MOST = 480  # pixels of a picture's longer side
SIDE = 160  # pixels of a picture of a window
_MASK_ALPHA, _HEAT_ALPHA, _DIMMED = 150, 220, 90
_HEAT = ((0.0, (40, 0, 60)), (0.5, (213, 60, 0)), (1.0, (255, 240, 120)))  # of scores, red first


class FramePicture:
    """A frame, reduced, over which scores, masks and the outline of a window are painted."""

    def __init__(self, image: Image) -> None:
        """image: [H, W, 3] uint8 BGR."""
        height, width = image.shape[:2]
        self._size = height, width
        step = max(1, max(height, width) // (2 * MOST))
        whole = _coloured(image[::step, ::step])
        factor = min(1.0, MOST / max(height, width))
        self._picture = whole.scaled(
            max(1, round(width * factor)),
            max(1, round(height * factor)),
            Qt.AspectRatioMode.IgnoreAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )

    def plain(self, place: Place | None = None) -> QImage:
        """Return the frame with the outline of a window, if one is given."""
        return self._outlined(self._picture.copy(), place)

    def with_scores(self, scores: ScoreMap, place: Place | None = None) -> QImage:
        """Return the frame dimmed and without its colours, and the scores of one scale over it."""
        picture = self._picture.convertToFormat(QImage.Format.Format_Grayscale8)
        picture = picture.convertToFormat(QImage.Format.Format_RGB32)
        painter = QPainter(picture)
        painter.fillRect(picture.rect(), QColor(0, 0, 0, _DIMMED))
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(self._rectangle(scores.place), heat(scores.scores))
        painter.end()
        return self._outlined(picture, place)

    def with_masks(self, masks: Sequence[MaskCrop], place: Place | None = None) -> QImage:
        """Return the frame with masks in it, the smallest one on top."""
        picture = self._picture.copy()
        painter = QPainter(picture)
        painter.drawImage(0, 0, _layer(masks, self._size, (picture.height(), picture.width())))
        painter.end()
        return self._outlined(picture, place)

    def _outlined(self, picture: QImage, place: Place | None) -> QImage:
        if place is not None:
            painter = QPainter(picture)
            for width, colour in ((7, QColor("black")), (3, QColor("white"))):
                pen = painter.pen()
                pen.setWidth(width)
                pen.setColor(colour)
                painter.setPen(pen)
                painter.drawRect(self._rectangle(place))
            painter.end()
        return picture

    def _rectangle(self, place: Place) -> QRectF:
        height, width = self._size
        across, down = self._picture.width() / width, self._picture.height() / height
        x1, y1, x2, y2 = place
        return QRectF(x1 * across, y1 * down, (x2 - x1) * across, (y2 - y1) * down)


def heat(scores: NDArray[np.float32]) -> QImage:
    """Return an image of scores [H, W] in 0..1: transparent where 0, over red to light yellow where 1."""
    places = (scores.clip(0, 1) * 255).round().astype(np.uint8)
    return _transparent(_heat_colours()[places])


def growth_pictures(image: Image, growth: MaskGrowth) -> list[tuple[str, QImage]]:
    """Return name and picture of each step from a window to its mask.

    image: the frame, [H, W, 3] uint8 BGR
    """
    steps = [("Coarse", growth.coarse), *((f"M{n}", one) for n, one in enumerate(growth.encodings, 1))]
    if growth.refined is not None:
        steps.append(("Mask", growth.refined))
    pictures = [("Window", window_picture(image, growth.place))]
    return pictures + [(f"{name}: {len(one)} px", grey(_in_blocks(one), 1.0)) for name, one in steps]


def window_picture(image: Image, place: Place) -> QImage:
    """Return what a window shows of a frame [H, W, 3] uint8 BGR, grey beyond the frame."""
    picture = QImage(SIDE, SIDE, QImage.Format.Format_RGB32)
    picture.fill(QColor(128, 128, 128))
    height, width = image.shape[:2]
    x1, y1, x2, y2 = (round(edge) for edge in place)
    left, top, right, bottom = max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)
    if right <= left or bottom <= top:
        return picture
    step = max(1, (x2 - x1) // (2 * SIDE))
    factor = SIDE / (x2 - x1)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    target = QRectF(
        (left - x1) * factor, (top - y1) * factor, (right - left) * factor, (bottom - top) * factor
    )
    painter.drawImage(target, _coloured(image[top:bottom:step, left:right:step]))
    painter.end()
    return picture


def _in_blocks(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Enlarge a small map so that its pixels are seen."""
    times = max(1, SIDE // len(values))
    return values.repeat(times, 0).repeat(times, 1)


def _layer(masks: Sequence[MaskCrop], frame: tuple[int, int], size: tuple[int, int]) -> QImage:
    """Return masks of a frame of (height, width) pixels as a transparent image of another size."""
    layer = np.zeros((*size, 4), np.uint8)
    rows, columns = (
        ((np.arange(small) + 0.5) * (large / small)).astype(np.int64)
        for small, large in zip(size, frame, strict=True)
    )
    for number, mask in sorted(enumerate(masks), key=lambda one: -one[1].area):
        height, width = mask.pixels.shape
        top, bottom = np.searchsorted(rows, (mask.y, mask.y + height))
        left, right = np.searchsorted(columns, (mask.x, mask.x + width))
        inside = mask.pixels[np.ix_(rows[top:bottom] - mask.y, columns[left:right] - mask.x)]
        blue, green, red = COLOUR_BLIND_SAFE[number % len(COLOUR_BLIND_SAFE)]
        layer[top:bottom, left:right][inside] = [
            round(channel * _MASK_ALPHA / 255) for channel in (red, green, blue, 255)
        ]
    return _transparent(layer)


def _coloured(image: Image) -> QImage:
    """Return an image of an array [H, W, 3] uint8 BGR, in memory of its own."""
    height, width = image.shape[:2]
    pixels = np.ascontiguousarray(image).tobytes() + bytes(SLACK)
    lent = QImage(pixels, width, height, 3 * width, QImage.Format.Format_BGR888)
    return lent.convertToFormat(QImage.Format.Format_RGB32)


def _transparent(values: NDArray[np.uint8]) -> QImage:
    """Return an image of [H, W, 4] uint8: R, G and B times alpha, and alpha; in memory of its own."""
    height, width = values.shape[:2]
    pixels = np.ascontiguousarray(values).tobytes() + bytes(SLACK)
    return QImage(pixels, width, height, 4 * width, QImage.Format.Format_RGBA8888_Premultiplied).copy()


@cache
def _heat_colours() -> NDArray[np.uint8]:
    """[256, 4] uint8, see `_transparent`."""
    scores = np.arange(256) / 255
    places = [place for place, _ in _HEAT]
    red, green, blue = (np.interp(scores, places, [colour[c] for _, colour in _HEAT]) for c in range(3))
    alpha = np.sqrt(scores) * _HEAT_ALPHA / 255
    colours = np.stack([red * alpha, green * alpha, blue * alpha, 255 * alpha], 1)
    return colours.round().astype(np.uint8)
