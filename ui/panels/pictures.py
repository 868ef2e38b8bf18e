"""Arrays as images, and colours that can be told apart with any kind of colour vision."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QImage, QPainter, QPaintEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

from pipeline.metrics.run import STAGES
from pipeline.native_memory import SLACK
from pipeline.overlay.palette import COLOUR_BLIND_SAFE

ADDS, TAKES = QColor(213, 94, 0), QColor(0, 114, 178)  # vermillion and blue
_NOTHING = QColor(245, 245, 245)


def grey(values: NDArray[np.floating], most: float) -> QImage:
    """Return an image of values [H, W] from 0 (black) to `most` (white)."""
    return _indexed(values * (255 / most if most else 0), _greys())


def diverging(values: NDArray[np.floating], most: float) -> QImage:
    """Return an image of values [H, W] from -most (blue) over 0 (nearly white) to most (vermillion)."""
    return _indexed(values * (127.5 / most if most else 0) + 128, _divergings())


def sign_colour(value: float, background: QColor) -> QColor:
    """Return the colour of a number by its sign, readable on the background."""
    colour = TAKES if value < 0 else ADDS
    return colour.lighter(165) if background.lightness() < 128 else colour.darker(115)


def stage_colour(stage: str) -> QColor:
    """Return the colour of a pipeline stage, the same in a light and a dark window."""
    blue, green, red = COLOUR_BLIND_SAFE[STAGES.index(stage) % len(COLOUR_BLIND_SAFE)]
    return QColor(red, green, blue)


class CaptionedImage(QWidget):
    """An image at a given aspect, as large as fits, with its name below."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self.setAccessibleName(name)
        self.setMinimumSize(60, 40)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._image: QImage | None = None
        self._aspect = 1.0

    def show_image(self, image: QImage | None, aspect: float = 1.0, name: str = "") -> None:
        """Show an image at an aspect (width / height) that may differ from its own; None for nothing.

        name: replaces the one before, if given
        """
        self._image, self._aspect = image, aspect
        if name and name != self._name:
            self._name = name
            self.setAccessibleName(name)
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a size of which four fit beside each other in a narrow panel."""
        return QSize(110, 90)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Paint the image in the middle, and its name."""
        painter = QPainter(self)
        room = QRectF(self.rect())
        line = self.fontMetrics().height()
        place = fitted(room.adjusted(0, 0, 0, -line), self._aspect)
        if self._image is not None:
            paint_smoothly(painter, self._image, place)
        name = QRectF(room.left(), place.bottom(), room.width(), line)
        painter.drawText(name, Qt.AlignmentFlag.AlignCenter, self._name)
        painter.end()


def fitted(room: QRectF, aspect: float) -> QRectF:
    """Return the largest rectangle of an aspect (width / height) in the middle of `room`."""
    width = min(room.width(), room.height() * aspect)
    place = QRectF(0, 0, width, width / aspect)
    place.moveCenter(room.center())
    return place


def paint_smoothly(painter: QPainter, image: QImage, place: QRectF) -> None:
    """Paint an image into a rectangle, scaled smoothly."""
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.drawImage(place, image)


def _indexed(values: NDArray[np.floating], colours: list[int]) -> QImage:
    """Return an image of values [H, W], clipped to 0..255, through a table of 256 colours."""
    height, width = values.shape
    places = values.clip(0, 255).astype(np.uint8).tobytes() + bytes(SLACK)
    image = QImage(places, width, height, width, QImage.Format.Format_Indexed8)
    image.setColorTable(colours)
    # smooth scaling needs true colours, and the copy does not refer to `places`
    return image.convertToFormat(QImage.Format.Format_RGB32)


@cache
def _greys() -> list[int]:
    return [QColor(i, i, i).rgb() for i in range(256)]


@cache
def _divergings() -> list[int]:
    return [_mixed(TAKES if i < 128 else ADDS, min(abs(i - 128) / 127, 1)).rgb() for i in range(256)]


def _mixed(colour: QColor, share: float) -> QColor:
    pairs = zip(_NOTHING.getRgb()[:3], colour.getRgb()[:3], strict=True)
    return QColor(*(round(low + share * (high - low)) for low, high in pairs))
