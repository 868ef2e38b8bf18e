"""A buffer in Qt's layout that is reused for each picture."""

from __future__ import annotations

from PyQt6.QtGui import QImage, QPainter

from pipeline.frame import Image
from pipeline.native_memory import spacious


class ImageBuffer:
    """Hold the picture that is shown, with 32 bits a pixel: only such images are scaled fast when painted."""

    def __init__(self) -> None:
        self._buffer = QImage()
        self._lent: Image = spacious(0, 0)

    @property
    def image(self) -> QImage:
        """The picture; a null image before the first one."""
        return self._buffer

    @property
    def size(self) -> tuple[int, int]:
        """The (width, height) in pixels; (0, 0) before the first picture."""
        return self._buffer.width(), self._buffer.height()

    def put(self, image: Image) -> None:
        """Copy a picture [H, W, 3] uint8 BGR into the buffer; it is made anew for another size."""
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
        """Release the picture."""
        self._buffer = QImage()
        self._lent = spacious(0, 0)
