"""The waterfall plot: the times of the last frames in each stage, drawn with pyqtgraph."""

from __future__ import annotations

import pyqtgraph
from PyQt6.QtCore import QEvent, QSize
from PyQt6.QtGui import QColor, QPalette, QResizeEvent
from PyQt6.QtWidgets import QWidget

from pipeline.metrics.run import STAGES
from pipeline.metrics.waterfall import ROOM, WAIT, Chart
from ui.panels.pictures import stage_colour

_THICK, _THIN = 0.8, 0.3  # fractions of a row's height, for work and waiting
_STEP = 50.0  # milliseconds; the axis changes in steps, so that it does not jitter

CAPTIONS = ("ms ago (thick: work, thin: waiting)", "ms ago")
_CAPTION_MARGIN = 24  # pixels


class Waterfall(pyqtgraph.GraphicsView):  # type: ignore[misc]  # pyqtgraph has no types
    """Draw thick bars for work, in the colour of the stage, and thin pale bars for waiting.

    Built from parts, since pyqtgraph's `PlotWidget` has menus that outlive it. Items are reused.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Waterfall of the last frames")
        self.chart: Chart | None = None  # the chart that is drawn
        self._length = 0.0
        self._view = pyqtgraph.ViewBox(enableMenu=False, enableMouse=False, invertY=True)
        self._axes = {side: pyqtgraph.AxisItem(side) for side in ("left", "bottom")}
        layout = pyqtgraph.GraphicsLayout()
        layout.addItem(self._axes["left"], 0, 0)
        layout.addItem(self._view, 0, 1)
        layout.addItem(self._axes["bottom"], 1, 1)
        for axis in self._axes.values():
            axis.linkToView(self._view)
        self.setCentralItem(layout)
        self._bars = {kind: pyqtgraph.BarGraphItem(x0=[], y=[], width=[], height=0) for kind in _KINDS}
        for item in self._bars.values():
            self._view.addItem(item)
        self._caption()
        self._apply_palette()

    def show_chart(self, chart: Chart) -> None:
        """Draw this chart in place of the previous one."""
        for kind, item in self._bars.items():
            bars = chart.bars.get(kind)
            thick = _THIN if kind in _WAITING else _THICK
            if bars is None:
                item.setOpts(x0=[], y=[], width=[], height=0)
            else:
                item.setOpts(x0=bars[:, 1], y=bars[:, 0], width=bars[:, 2], height=thick)
        before, self.chart = self.chart, chart
        if before is None or chart.rows != before.rows:
            self._axes["left"].setTicks([list(enumerate(chart.rows))])
            self._view.setYRange(-0.5, max(len(chart.rows), 1) - 0.5, padding=0)
        length = _STEP * max(-(-chart.length // _STEP), 1)
        if length != self._length:
            self._length = length
            self._view.setXRange(-length, 0, padding=0.01)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Choose the longest caption that fits."""
        super().resizeEvent(event)
        if hasattr(self, "_axes"):
            self._caption()

    def _caption(self) -> None:
        axis = self._axes["bottom"]
        room = self.width() - self._axes["left"].width() - _CAPTION_MARGIN
        fits = (text for text in CAPTIONS if self.fontMetrics().horizontalAdvance(text) <= room)
        caption = next(fits, CAPTIONS[-1])
        if axis.labelText != caption:
            axis.setLabel(caption)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return a small size: the plot shrinks before other parts."""
        return QSize(120, 100)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a size in which rows can be told apart."""
        return QSize(260, 170)

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802
        """Follow changes between light and dark."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.PaletteChange and hasattr(self, "_bars"):
            self._apply_palette()

    def _apply_palette(self) -> None:
        palette = self.palette()
        base, text = palette.color(QPalette.ColorRole.Base), palette.color(QPalette.ColorRole.Text)
        self.setBackground(base)
        for axis in self._axes.values():
            axis.setPen(text)
            axis.setTextPen(text)
        for kind, item in self._bars.items():
            colour = _waiting(kind, base, text) if kind in _WAITING else stage_colour(kind)
            # the edge keeps bars visible that are narrower than a pixel
            item.setOpts(brush=colour, pen=base if kind in _WAITING else colour)


_WAITING = {WAIT: 0.25, ROOM: 0.6}  # position of the colour between background (0) and text (1)
_KINDS = (*_WAITING, *STAGES)  # work is drawn over waiting


def _waiting(kind: str, base: QColor, text: QColor) -> QColor:
    share = _WAITING[kind]
    channels = zip(base.getRgb()[:3], text.getRgb()[:3], strict=True)
    return QColor(*(round(low + share * (high - low)) for low, high in channels))
