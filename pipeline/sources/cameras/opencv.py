"""OpenCV's part in cameras that concerns the whole process: which interface, how loud, how patient."""

from __future__ import annotations

import os
import platform

import cv2

# The system's own interface. On Windows DirectShow, for it opens in a fraction of the time that Media
# Foundation takes, and lets the pixel format be chosen.
_BACKENDS = {"Linux": cv2.CAP_V4L2, "Darwin": cv2.CAP_AVFOUNDATION, "Windows": cv2.CAP_DSHOW}


def backend() -> int:
    """OpenCV's number of the interface that cameras are opened through here."""
    return _BACKENDS.get(platform.system(), cv2.CAP_ANY)


def exists(index: int) -> bool:
    """Return True if a camera of that index can be opened, by opening it."""
    prepare_opencv()
    capture = cv2.VideoCapture(index, backend())
    try:
        return capture.isOpened()
    finally:
        capture.release()


def prepare_opencv() -> None:
    """Keep OpenCV from writing to the error output and from waiting 10 s for a picture of a stalled camera.

    Both are settings of the whole process and stay. What is silenced is told by SourceError instead; who
    wants to see it sets OPENCV_LOG_LEVEL. The time limit, in whole seconds, is read as the first picture is
    grabbed and serves V4L2 only.
    """
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "1")
    if "OPENCV_LOG_LEVEL" not in os.environ:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
