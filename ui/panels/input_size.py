"""The field for the input size of the network; the longer side where it is not square."""

from __future__ import annotations

from PyQt6.QtCore import QSignalBlocker, QTimer, pyqtSignal
from PyQt6.QtGui import QWheelEvent
from PyQt6.QtWidgets import QSpinBox

from model.config_limits import LARGEST_INPUT

STEP = 32
TIP = (
    "The longer side of the input where the network keeps the picture's shape, else each side of a square. "
    "A smaller input is faster, a larger one finds smaller instances"
)
_AUTOMATIC = 0
_PATIENCE = 400  # milliseconds to wait while a key is held: each size loads another network


class InputSize(QSpinBox):
    """The field "image_size": a multiple of 32 pixels, or None for the weights' own size.

    own: the weights' own size, once it is known
    """

    edited = pyqtSignal(str, object)

    def __init__(self, nothing: str = "Automatic") -> None:
        """nothing: the text for None."""
        super().__init__()
        self.field = "image_size"
        self.own: int | None = None
        self.setAccessibleName("Input size of the network")
        self.setToolTip(TIP)
        self.setRange(_AUTOMATIC, LARGEST_INPUT)
        self.setSingleStep(STEP)
        self.setSuffix(" px")
        self.setSpecialValueText(nothing)
        self.setKeyboardTracking(False)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PATIENCE)
        self._timer.timeout.connect(self._tell)
        self.valueChanged.connect(self._round)

    def show_value(self, value: int | None) -> None:
        """Show a value of the field, unless the user is choosing another one."""
        if not self._timer.isActive():
            with QSignalBlocker(self):
                self.setValue(_AUTOMATIC if value is None else value)

    def stepBy(self, steps: int) -> None:  # noqa: N802
        """Start at the weights' own size where no size is set."""
        if self.value() == _AUTOMATIC and steps > 0 and self.own is not None:
            self.setValue(self.own)
        else:
            super().stepBy(steps)

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802
        """Leave the wheel to the panel, which scrolls."""
        if event is not None:
            event.ignore()

    def _round(self, value: int) -> None:
        with QSignalBlocker(self):
            self.setValue(round(value / STEP) * STEP)
        self._timer.start()

    def _tell(self) -> None:
        self.edited.emit(self.field, self.value() or None)
