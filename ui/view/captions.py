"""Texts painted over the picture, each on a dark ground of its own, readable on any picture."""

from __future__ import annotations

from PyQt6.QtCore import QRect, QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QPainter

_MESSAGE_COLOUR, _MESSAGE_GROUND = QColor(235, 238, 242), QColor(0, 0, 0, 190)
_MESSAGE_SIZE = 1.3  # times the usual font
_MESSAGE_MARGIN = 40
_CAPTION_COLOUR, _CAPTION_GROUND = QColor(250, 250, 250), QColor(0, 0, 0, 175)
_CAPTION_MARGIN, _CAPTION_PADDING = 10.0, 6.0
_LEAST_CHARACTERS = 10  # of average width for which a caption needs room


def paint_message(painter: QPainter, view: QRect, text: str) -> None:
    """Paint a text in the middle of a view."""
    font = QFont(painter.font())
    font.setPointSizeF(font.pointSizeF() * _MESSAGE_SIZE)
    painter.setFont(font)
    flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
    room = view.adjusted(_MESSAGE_MARGIN, _MESSAGE_MARGIN, -_MESSAGE_MARGIN, -_MESSAGE_MARGIN)
    bounds = painter.boundingRect(room, flags, text).adjusted(-18, -12, 18, 12)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_MESSAGE_GROUND)
    painter.drawRoundedRect(QRectF(bounds), 8, 8)
    painter.setBrush(Qt.BrushStyle.NoBrush)  # otherwise the focus frame would be filled
    painter.setPen(_MESSAGE_COLOUR)
    painter.drawText(room, flags, text)


def paint_caption(painter: QPainter, room: QRectF, text: str, side: Qt.AlignmentFlag) -> None:
    """Paint a text at the lower edge of `room`, aligned to one side; nothing where that is too narrow."""
    outer = _CAPTION_MARGIN + _CAPTION_PADDING
    room = room.adjusted(outer, _CAPTION_MARGIN, -outer, -outer)
    if room.width() < _LEAST_CHARACTERS * painter.fontMetrics().averageCharWidth():
        return
    flags = side | Qt.AlignmentFlag.AlignBottom | Qt.TextFlag.TextWordWrap
    bounds = painter.boundingRect(room, int(flags), text)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_CAPTION_GROUND)
    pad = _CAPTION_PADDING
    painter.drawRoundedRect(bounds.adjusted(-pad, -pad, pad, pad), 5, 5)
    painter.setPen(_CAPTION_COLOUR)
    painter.drawText(room, int(flags), text)
