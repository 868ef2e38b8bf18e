"""The start of the window, measured within its process; nothing of the window is loaded with this module."""

from __future__ import annotations

import json
import os
import sys
import time

from PyQt6 import QtWidgets
from PyQt6.QtCore import QEvent, QObject, QTimer

from app.cli import main


def time_start(begun: float, arguments: tuple[str, ...]) -> None:
    """Run the command until its window is painted, and print the seconds since `begun` (`time.time()`)."""

    class FirstPaint(QtWidgets.QApplication):
        """Ends the process once a window has been painted for the first time."""

        def notify(self, receiver: QObject | None, event: QEvent | None) -> bool:
            painted = event is not None and event.type() == QEvent.Type.Paint
            if painted and isinstance(receiver, QtWidgets.QMainWindow):
                QTimer.singleShot(0, tell)  # once it has been handed to the screen
            return super().notify(receiver, event)

    def tell() -> None:
        print(json.dumps(time.time() - begun), flush=True)
        os._exit(0)  # its threads are in the middle of something

    QtWidgets.QApplication = FirstPaint  # type: ignore[misc]  # the command makes its own, of this kind
    sys.exit(main(arguments))
