"""Selection of a camera by name and of its mode; cameras are listed in the background."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Sequence

from PyQt6.QtCore import QTimer, pyqtSignal
from PyQt6.QtWidgets import QFormLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from pipeline.sources import CAMERA_PREFIX
from pipeline.sources.cameras.listing import CameraInfo
from ui.panels.fields import ChoiceField
from ui.panels.widgets import WrappedLabel

FindCameras = Callable[[], Sequence[CameraInfo]]

# "WIDTHxHEIGHT@RATE", text, explanation
MODES = (
    ("", "Camera's own", "The default mode of the camera"),
    ("640x480@30", "640 × 480, 30 fps", "The camera uses its nearest mode"),
    ("800x600@30", "800 × 600, 30 fps", "The camera uses its nearest mode"),
    ("1280x720@30", "1280 × 720, 30 fps", "The camera uses its nearest mode"),
    ("1280x720@60", "1280 × 720, 60 fps", "The camera uses its nearest mode"),
    ("1920x1080@30", "1920 × 1080, 30 fps", "The camera uses its nearest mode"),
    ("3840x2160@30", "3840 × 2160, 30 fps", "The camera uses its nearest mode"),
)
LOOKING = "Looking for cameras…"
NONE_FOUND = "No camera was found on this machine. Plug one in and press Refresh."
_POLL = 50  # milliseconds
_PATIENCE = 0.5  # seconds to wait for a search when the window closes


class CameraSearch:
    """List cameras in a thread of its own: on some systems each one has to be opened for that."""

    def __init__(self, find: FindCameras) -> None:
        self._find = find
        self._thread: threading.Thread | None = None
        self._found: Sequence[CameraInfo] | Exception = ()

    @property
    def running(self) -> bool:
        """True while the thread is searching."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start a search, unless one is running."""
        if not self.running:
            self._thread = threading.Thread(target=self._look, name="livemask-cameras", daemon=True)
            self._thread.start()

    def end(self, timeout: float | None = None) -> Sequence[CameraInfo]:
        """Wait at most `timeout` seconds, and return the cameras. Raises what the search raised."""
        if self._thread is not None:
            self._thread.join(timeout)
        if isinstance(self._found, Exception):
            raise self._found
        return self._found

    def _look(self) -> None:
        try:
            self._found = tuple(self._find())
        except Exception as error:
            self._found = error


class CameraPicker(QWidget):
    """Let the user choose a camera (`chosen` has its address) and its mode (`mode_chosen`)."""

    chosen = pyqtSignal(str)
    mode_chosen = pyqtSignal(str, object)

    def __init__(self, find: FindCameras) -> None:
        super().__init__()
        self._search = CameraSearch(find)
        self._cameras = ChoiceField("camera", "Camera")
        self.mode = ChoiceField("camera_mode", "Mode asked of the camera", MODES)
        self._open = QPushButton("Open camera")
        self._refresh = QPushButton("Refresh")
        self._refresh.setAccessibleName("Look for cameras again")
        self._words = WrappedLabel(LOOKING, "Cameras")
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL)
        self._timer.timeout.connect(self._look_whether_found)
        self._arrange()
        self._open.clicked.connect(self._choose)
        self._refresh.clicked.connect(self.look)
        self.mode.edited.connect(self.mode_chosen)
        self._show(())

    def look(self) -> None:
        """Start a new search; returns at once."""
        self._search.start()
        self._refresh.setEnabled(False)
        self._words.show_text(LOOKING)
        self._timer.start()

    def end(self) -> None:
        """Stop, waiting a moment for a search that is running."""
        self._timer.stop()
        with contextlib.suppress(Exception):  # the window is closing
            self._search.end(_PATIENCE)

    def _arrange(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self._open)
        buttons.addWidget(self._refresh)
        mode = QFormLayout()
        mode.addRow("Mode", self.mode)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._cameras)
        column.addLayout(mode)
        column.addLayout(buttons)
        column.addWidget(self._words)

    def _look_whether_found(self) -> None:
        if self._search.running:
            return
        self._timer.stop()
        self._refresh.setEnabled(True)
        try:
            self._show(self._search.end())
        except Exception as error:
            self._show(())
            self._words.show_text(f"Cameras cannot be listed: {error}")

    def _show(self, cameras: Sequence[CameraInfo]) -> None:
        before = self._cameras.value
        self._cameras.clear()
        for camera in cameras:
            self._cameras.add_row(address_of(camera, cameras), camera.name, camera.path)
        if self._cameras.row_of(before) >= 0:
            self._cameras.show_value(before)
        self._cameras.setEnabled(bool(cameras))
        self._open.setEnabled(bool(cameras))
        self._words.show_text("" if cameras else NONE_FOUND)

    def _choose(self) -> None:
        self.chosen.emit(self._cameras.value)


def address_of(camera: CameraInfo, cameras: Sequence[CameraInfo]) -> str:
    """Return the address of a camera: its name, or its number where several cameras have that name.

    The name stays the same when the camera is plugged in elsewhere.
    """
    same = Counter(other.name.casefold() for other in cameras)
    is_alone = camera.name and same[camera.name.casefold()] == 1
    return f"{CAMERA_PREFIX}{camera.name}" if is_alone else str(camera.index)
