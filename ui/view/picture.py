"""One picture in Qt's own layout, in a buffer that is used again for the next one."""

from __future__ import annotations

from PyQt6.QtGui import QImage, QPainter

from pipeline.frame import Image
from pipeline.native_memory import spacious


class Picture:
    """Holds the picture that is shown. 32 bits a pixel, for only that is scaled fast when it is painted."""

    def __init__(self) -> None:
        self._buffer = QImage()
        self._lent: Image = spacious(0, 0)

    @property
    def image(self) -> QImage:
        """The picture; a null image before the first."""
        return self._buffer

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels; (0, 0) before the first."""
        return self._buffer.width(), self._buffer.height()

    def put(self, image: Image) -> None:
        """Take another one: [H, W, 3] uint8 BGR, which is copied; another size makes another buffer."""
        height, width = image.shape[:2]
        if self._lent.shape != image.shape:
            self._lent = spacious(height, width)
        self._lent[...] = image
        layout = QImage.Format.Format_BGR888
        source = QImage(self._lent.data, width, height, 3 * width, layout)  # type: ignore[call-overload]
        if self.size != (width, height):
            self._buffer = QImage(width, height, QImage.Format.Format_RGB32)
        painter = QPainter(self._buffer)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
        painter.drawImage(0, 0, source)
        painter.end()

    def clear(self) -> None:
        """Hold nothing."""
        self._buffer = QImage()
        self._lent = spacious(0, 0)
