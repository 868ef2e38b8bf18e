"""Words that stand over the picture, or in its place."""

from __future__ import annotations

from PyQt6.QtCore import QRect, QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QPainter

_COLOUR = QColor(235, 238, 242)
_GROUND = QColor(0, 0, 0, 190)
_SIZE = 1.3  # of the usual font
_MARGIN = 40


def paint_words(painter: QPainter, view: QRect, words: str) -> None:
    """Paint them in the middle of a view, on a ground of their own, readable on any picture."""
    font = QFont(painter.font())
    font.setPointSizeF(font.pointSizeF() * _SIZE)
    painter.setFont(font)
    flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
    room = view.adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
    bounds = painter.boundingRect(room, flags, words).adjusted(-18, -12, 18, 12)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_GROUND)
    painter.drawRoundedRect(QRectF(bounds), 8, 8)
    painter.setBrush(Qt.BrushStyle.NoBrush)  # or the frame of the keyboard's focus would be filled
    painter.setPen(_COLOUR)
    painter.drawText(room, flags, words)
