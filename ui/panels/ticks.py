"""Check boxes that are visible in a light and in a dark window."""

from __future__ import annotations

from PyQt6.QtCore import QModelIndex, QPointF, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from PyQt6.QtWidgets import (
    QCheckBox,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionButton,
    QStyleOptionViewItem,
)

_EDGE = 0.6  # colour of the edge between background (0) and text (1)
_GAP = 4  # pixels
_TICK = ((0.22, 0.52), (0.42, 0.72), (0.78, 0.28))  # fractions of a box


def paint_tick_box(painter: QPainter, place: QRectF, palette: QPalette, ticked: bool) -> None:
    """Paint a box with an edge, filled and with a tick if it is ticked, in colours of the palette.

    The edge of a style's own box is hardly visible in a dark window.
    """
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    base, text = palette.color(QPalette.ColorRole.Base), palette.color(QPalette.ColorRole.Text)
    fill = palette.color(QPalette.ColorRole.Highlight) if ticked else base
    box = place.adjusted(0.5, 0.5, -0.5, -0.5)
    painter.fillRect(place, base)
    painter.setPen(QPen(_between(base, text), 1.2))
    painter.setBrush(fill)
    painter.drawRoundedRect(box, 2, 2)
    if ticked:
        ink = palette.color(QPalette.ColorRole.HighlightedText)
        painter.setPen(QPen(ink, max(1.6, place.width() / 8)))
        size = box.width(), box.height()
        painter.drawPolyline(
            QPolygonF(QPointF(box.x() + x * size[0], box.y() + y * size[1]) for x, y in _TICK)
        )
    painter.restore()


class TickBox(QCheckBox):
    """A check box painted by `paint_tick_box`."""

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Paint the box over that of the style."""
        super().paintEvent(event)
        option = QStyleOptionButton()
        self.initStyleOption(option)
        style = self.style()
        assert style is not None
        place = style.subElementRect(QStyle.SubElement.SE_CheckBoxIndicator, option, self)
        painter = QPainter(self)
        paint_tick_box(painter, QRectF(place), option.palette, self.isChecked())
        painter.end()


class TickDelegate(QStyledItemDelegate):
    """Paint the check boxes of list rows with `paint_tick_box`."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:  # noqa: N802
        """Return the size of a row, with some room between the boxes."""
        return super().sizeHint(option, index) + QSize(0, _GAP)

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Paint the box over that of the style."""
        super().paint(painter, option, index)
        state = index.data(Qt.ItemDataRole.CheckStateRole)
        widget = option.widget
        style = widget.style() if widget is not None else None
        if painter is None or state is None or style is None:
            return
        full = QStyleOptionViewItem(option)
        self.initStyleOption(full, index)
        place = style.subElementRect(QStyle.SubElement.SE_ItemViewItemCheckIndicator, full, widget)
        ticked = Qt.CheckState(state) == Qt.CheckState.Checked
        paint_tick_box(painter, QRectF(place), full.palette, ticked)


def _between(low: QColor, high: QColor) -> QColor:
    pairs = zip(low.getRgb()[:3], high.getRgb()[:3], strict=True)
    return QColor(*(round(a + _EDGE * (b - a)) for a, b in pairs))
