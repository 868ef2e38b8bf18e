"""Parts of a panel, one beside the other where it is wide, one above the other where it is high."""

from __future__ import annotations

from PyQt6.QtCore import QSize
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QBoxLayout, QFrame, QLayout, QScrollArea, QWidget

_WIDE = 1.3  # width / height from which on parts stand beside each other


class Flow(QScrollArea):
    """Lays two parts out by its own shape; what there is no room for can be scrolled to.

    Above one another, the first part takes the room that the second does not ask for.
    """

    def __init__(self, first: QLayout, second: QLayout, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        inside = QWidget()
        self._box = QBoxLayout(QBoxLayout.Direction.TopToBottom, inside)
        self._box.addLayout(first, 1)
        self._box.addLayout(second)
        self.setWidget(inside)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Choose the direction."""
        wide = self.width() > _WIDE * self.height()
        self._box.setDirection(QBoxLayout.Direction.LeftToRight if wide else QBoxLayout.Direction.TopToBottom)
        self._box.setStretch(1, 1 if wide else 0)
        super().resizeEvent(event)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Enough to see something, and no more: the picture has the first right to the room."""
        return QSize(360, 260)
