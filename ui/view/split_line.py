"""The line between both sides of a comparison: dragged by the mouse, with a caption for each side."""

from __future__ import annotations

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPen
from PyQt6.QtWidgets import QWidget

from ui.control.compare_text import SIDES, differing, score_text
from ui.control.controller import Controller
from ui.view.captions import paint_caption
from ui.view.geometry import ViewGeometry

_NEAR = 9.0  # view pixels from the line within which it can be dragged
_GRIP = 13.0  # radius of its handle
_LIGHT, _DARK = QColor(250, 250, 250), QColor(20, 22, 26)


class SplitLine:
    """Paint the handle of the line and the captions over a picture with two sides.

    The line itself is part of the picture.
    """

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._comparer = controller.comparer
        self.dragged = False

    def is_near(self, at: QPointF, geometry: ViewGeometry) -> bool:
        """Return True if the line is at this point of the view."""
        if not self._controller.shows_two_sides:
            return False
        _, top, _, height = geometry.target
        return abs(at.x() - self._x(geometry)) <= _NEAR and top <= at.y() < top + height

    def press(self, at: QPointF, geometry: ViewGeometry) -> bool:
        """Start dragging if the line is at this point; return True if it is."""
        self.dragged = self.is_near(at, geometry)
        return self.dragged

    def move(self, at: QPointF, geometry: ViewGeometry, view: QWidget) -> bool:
        """Move the line with the mouse while it is dragged, and set the view's cursor near it.

        Returns True if the line has moved.
        """
        near = self.dragged or self.is_near(at, geometry)
        view.setCursor(Qt.CursorShape.SplitHCursor if near else Qt.CursorShape.ArrowCursor)
        left, _, width, _ = geometry.target
        if self.dragged and width > 0:
            self._comparer.put((at.x() - left) / width)
        return self.dragged

    def release(self) -> None:
        """Stop dragging."""
        self.dragged = False

    def paint(self, painter: QPainter, view: QRectF, geometry: ViewGeometry) -> None:
        """Paint handle and captions while the picture has two sides."""
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
            score = score_text(scores[side] if scores is not None else None)
            text = f"{SIDES[side]}: {words[side]}\n{score}"
            paint_caption(painter, rooms[side], text, aligned[side])
