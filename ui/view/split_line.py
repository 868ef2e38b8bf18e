"""The line between both sides of a comparison: taken by the mouse, with what each side is and how it does."""

from __future__ import annotations

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPen
from PyQt6.QtWidgets import QWidget

from ui.control.compare_words import SIDES, differing, score_words
from ui.control.controller import Controller
from ui.view.geometry import ViewGeometry

_NEAR = 9.0  # view pixels from the line within which it is taken
_GRIP = 13.0  # radius of its handle
_LIGHT, _DARK, _GROUND = QColor(250, 250, 250), QColor(20, 22, 26), QColor(0, 0, 0, 175)
_MARGIN, _PADDING = 10.0, 6.0


class SplitLine:
    """Paints its handle and the captions over the picture, which has the line itself; there while two sides
    are."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._comparer = controller.comparer
        self.dragged = False

    def is_near(self, at: QPointF, geometry: ViewGeometry) -> bool:
        """Whether the line is under that point of the view."""
        if not self._controller.shows_two_sides:
            return False
        _, top, _, height = geometry.target
        return abs(at.x() - self._x(geometry)) <= _NEAR and top <= at.y() < top + height

    def press(self, at: QPointF, geometry: ViewGeometry) -> bool:
        """Take the line, where it is there."""
        self.dragged = self.is_near(at, geometry)
        return self.dragged

    def move(self, at: QPointF, geometry: ViewGeometry, view: QWidget) -> bool:
        """Have it follow the mouse while it is taken, and the view's cursor tell where it can be; whether it
        has moved."""
        near = self.dragged or self.is_near(at, geometry)
        view.setCursor(Qt.CursorShape.SplitHCursor if near else Qt.CursorShape.ArrowCursor)
        left, _, width, _ = geometry.target
        if self.dragged and width > 0:
            self._comparer.put((at.x() - left) / width)
        return self.dragged

    def release(self) -> None:
        """Let it go."""
        self.dragged = False

    def paint(self, painter: QPainter, view: QRectF, geometry: ViewGeometry) -> None:
        """Over the picture, while it has two sides."""
        if not self._controller.shows_two_sides:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        left, top, width, height = geometry.target
        seen = QRectF(left, top, width, height).intersected(view)
        x = self._x(geometry)
        self._paint_captions(painter, seen, min(max(x, seen.left()), seen.right()))
        middle = QPointF(x, seen.center().y())
        painter.setPen(QPen(_DARK, 1.5))
        painter.setBrush(_LIGHT)
        painter.drawEllipse(middle, _GRIP, _GRIP)
        painter.setBrush(_DARK)
        for way in (-1, 1):
            tip = QPointF(way * (_GRIP - 4), 0)
            foot = QPointF(way * 3.0, 0)
            painter.drawPolygon(middle + tip, middle + foot + QPointF(0, -5), middle + foot + QPointF(0, 5))
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _x(self, geometry: ViewGeometry) -> float:
        left, _, width, _ = geometry.target
        return left + self._comparer.at * width

    def _paint_captions(self, painter: QPainter, seen: QRectF, x: float) -> None:
        session = self._controller.session
        status, scores = session.comparison, session.scores
        if status.left is None or status.right is None:
            return
        words = differing(status.left, status.right)
        rooms = (
            QRectF(seen.left(), seen.top(), x - seen.left(), seen.height()),
            QRectF(x, seen.top(), seen.right() - x, seen.height()),
        )
        aligned = (Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight)
        for side in (0, 1):
            score = score_words(scores[side] if scores is not None else None)
            text = f"{SIDES[side]}: {words[side]}\n{score}"
            _paint_caption(painter, rooms[side], text, aligned[side])


def _paint_caption(painter: QPainter, room: QRectF, text: str, side: Qt.AlignmentFlag) -> None:
    """At the foot of its side; left out where that is too narrow for a word."""
    room = room.adjusted(_MARGIN + _PADDING, _MARGIN, -_MARGIN - _PADDING, -_MARGIN - _PADDING)
    if room.width() < 10 * painter.fontMetrics().averageCharWidth():
        return
    flags = side | Qt.AlignmentFlag.AlignBottom | Qt.TextFlag.TextWordWrap
    bounds = painter.boundingRect(room, int(flags), text)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_GROUND)
    painter.drawRoundedRect(bounds.adjusted(-_PADDING, -_PADDING, _PADDING, _PADDING), 5, 5)
    painter.setPen(_LIGHT)
    painter.drawText(room, int(flags), text)
