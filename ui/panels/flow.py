"""A layout of two parts, beside each other in a wide panel and below each other in a high one."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QObject, QSize
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QBoxLayout, QFrame, QLayout, QScrollArea, QWidget

_WIDE = 1.3  # width / height above which the parts are beside each other
_LEAST = QSize(200, 200)  # pixels; enough for a table of all stages


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
