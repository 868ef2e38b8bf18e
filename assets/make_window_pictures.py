"""Makes the README's pictures of the window from the demo clip: `python assets/make_window_pictures.py`.

Wants a display of 1400 x 900 at least, Xvfb's for instance. Only public-domain photographs are shown.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

CLIP, PHOTO = "assets/demo.mp4", "assets/photos/sheep.jpg"  # as they are shown in the window
FOLDER = ROOT / "assets" / "window"
SIZE = 1280, 800
PATIENCE = 120.0  # seconds


def main() -> None:
    """Save the window with the clip, then prototypes, privacy, and proposals in the photograph."""
    os.environ["LIVEMASK_HOME"] = tempfile.mkdtemp()
    os.chdir(ROOT)
    from PyQt6.QtTest import QTest
    from PyQt6.QtWidgets import QApplication

    from ui.window.application import Start, make_window
    from ui.window.qt import prepare_qt

    prepare_qt()
    app = QApplication(sys.argv)
    window = make_window(app, Start(CLIP), print)
    window.resize(*SIZE)
    window.show()
    controller = window.controller

    def wait(until: Callable[[], bool], seconds: float = PATIENCE) -> None:
        end = time.monotonic() + seconds
        while not until() and time.monotonic() < end:
            QTest.qWait(20)

    def pause_at(seconds: float) -> None:
        controller.session.playback.pause()
        controller.seek(seconds)
        wait(lambda: False, 3)

    def save(name: str) -> None:
        FOLDER.mkdir(exist_ok=True)
        window.grab().save(str(FOLDER / f"{name}.jpg"), "JPEG", 88)

    wait(lambda: controller.loaded is not None)
    pause_at(3.2)
    save("live")
    window.docks["prototypes"].setVisible(not window.docks["prototypes"].isVisible())
    pause_at(5.4)
    save("prototypes")
    window.docks["prototypes"].setVisible(not window.docks["prototypes"].isVisible())
    controller.set_display(privacy=True)
    pause_at(3.2)
    save("privacy")
    controller.set_display(privacy=False)
    controller.set_detection(weights="sharpmask_lite_objects")
    controller.open(PHOTO)
    dock = window.docks["proposals"]
    dock.show()
    wait(lambda: controller.result is not None and controller.result.proposals is not None)
    dock.panel.masks.setCurrentIndex(dock.panel.masks.row_of("both"))
    controller.select(controller.result, 0)
    wait(lambda: controller.result is not None and controller.result.selected is not None)
    wait(lambda: False, 3)
    save("proposals")
    window.close()


if __name__ == "__main__":
    main()
