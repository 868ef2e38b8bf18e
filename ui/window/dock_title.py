"""The upper edge of a panel: its title, and buttons that float and close it, seen in light and dark."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QSize, Qt
from PyQt6.QtWidgets import QDockWidget, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from ui.window.icons import icon

_ICON = QSize(12, 12)


class DockTitle(QWidget):
    """Stands in for the title bar of a dock; it is dragged and double-clicked like Qt's own."""

    def __init__(self, dock: QDockWidget) -> None:
        super().__init__(dock)
        title = QLabel(dock.windowTitle())
        title.setTextFormat(Qt.TextFormat.PlainText)
        title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        name = dock.windowTitle()
        self._buttons = {
            "float": _button(f"Float the panel {name}, or dock it again"),
            "close": _button(f"Close the panel {name}"),
        }
        self._buttons["float"].clicked.connect(lambda: dock.setFloating(not dock.isFloating()))
        self._buttons["close"].clicked.connect(dock.close)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 3, 3, 3)
        layout.setSpacing(2)
        layout.addWidget(title, 1)
        for button in self._buttons.values():
            layout.addWidget(button)
        self._dress()

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802
        """Paint the icons anew once the window is light or dark."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.PaletteChange:
            self._dress()

    def _dress(self) -> None:
        for name, button in self._buttons.items():
            button.setIcon(icon(name, self.palette()))


def _button(name: str) -> QToolButton:
    button = QToolButton()
    button.setAccessibleName(name)
    button.setToolTip(name)
    button.setAutoRaise(True)
    button.setIconSize(_ICON)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
