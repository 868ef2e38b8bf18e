"""Layouts that go by the shape of a panel: of two parts, and of cells in columns."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtCore import QEvent, QObject, QSize
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QBoxLayout, QFrame, QGridLayout, QLayout, QScrollArea, QWidget

_WIDE = 1.3  # width / height above which the parts are beside each other
_LEAST = QSize(200, 220)  # pixels; enough for a table of all stages


class Flow(QWidget):
    """Lay out two parts by the shape of the panel.

    The second part gets the size that it asks for, and is scrolled if there is too little room; the first one
    gets the rest.

    share: stretch of the second part when both are beside each other; that of the first is 1
    """

    def __init__(self, first: QLayout, second: QWidget, share: int = 0) -> None:
        super().__init__()
        self._share = share
        self._scrolled = _Scrolled(second)
        self._box = QBoxLayout(QBoxLayout.Direction.TopToBottom, self)
        self._box.setContentsMargins(6, 6, 6, 6)
        self._box.addLayout(first, 1)
        self._box.addWidget(self._scrolled)

    def show_second(self, wanted: bool) -> None:
        """Show or hide the second part."""
        self._scrolled.setVisible(wanted)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Choose the direction of the layout."""
        wide = self.width() > _WIDE * self.height()
        self._scrolled.whole_width = wide
        self._box.setDirection(QBoxLayout.Direction.LeftToRight if wide else QBoxLayout.Direction.TopToBottom)
        self._box.setStretch(1, self._share if wide else 0)
        super().resizeEvent(event)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return a small size whatever the content: the picture needs the room more."""
        return _LEAST

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a size that shows some of the content."""
        return QSize(360, 260)


class Columns(QWidget):
    """Lay out cells row by row, in as many columns as fit. Hidden cells take no room.

    least: width of a cell in pixels
    most:  number of columns
    """

    def __init__(self, cells: Sequence[QWidget], least: int, most: int) -> None:
        super().__init__()
        self._cells, self._least, self._most = tuple(cells), least, most
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._shown = tuple(range(len(cells)))
        self._columns = 0  # that the cells lie in
        self._arrange(most)

    def show_cells(self, numbers: Sequence[int]) -> None:
        """Show the cells of these numbers, and hide the others."""
        for number, cell in enumerate(self._cells):
            cell.setVisible(number in numbers)
        if tuple(numbers) != self._shown:
            self._shown, self._columns = tuple(numbers), 0
        self._arrange(self._fitting())

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Choose the number of columns."""
        self._arrange(self._fitting())
        super().resizeEvent(event)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the width of one cell, whatever the present number of columns."""
        return QSize(self._least, self._grid.minimumSize().height())

    def _fitting(self) -> int:
        gap = self._grid.horizontalSpacing()
        return max(1, min(self._most, (self.width() + gap) // (self._least + gap)))

    def _arrange(self, columns: int) -> None:
        columns = max(1, min(columns, len(self._shown)))
        if columns == self._columns:
            return
        self._columns = columns
        for cell in self._cells:
            self._grid.removeWidget(cell)
        for place, number in enumerate(self._shown):
            self._grid.addWidget(self._cells[number], place // columns, place % columns)
        for column in range(self._most):
            self._grid.setColumnStretch(column, int(column < columns))
        self.updateGeometry()


class _Scrolled(QScrollArea):
    """whole_width: it is never scrolled sideways."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.whole_width = False
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Update the geometry when the content wants another width."""
        if watched is self.widget() and event is not None and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        inside, bar = self.widget(), self.verticalScrollBar()
        assert inside is not None
        assert bar is not None
        width = inside.minimumSizeHint().width() + bar.sizeHint().width()
        return QSize(width if self.whole_width else 60, 60)

    def sizeHint(self) -> QSize:  # noqa: N802
        inside = self.widget()
        assert inside is not None
        width = self.minimumSizeHint().width() if self.whole_width else inside.sizeHint().width()
        return QSize(width, inside.sizeHint().height())
