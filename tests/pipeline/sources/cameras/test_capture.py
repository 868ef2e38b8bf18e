"""How a capture is set up, and OpenCV's real one on a video file in place of a camera."""

from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest

from model.errors import SourceError
from pipeline.frame import Frame
from pipeline.sources.cameras.camera import Patience, start_camera
from pipeline.sources.cameras.capture import CameraSettings, configure

YUYV = cv2.VideoWriter.fourcc(*"YUYV")
MJPG = cv2.VideoWriter.fourcc(*"MJPG")
SIZE = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)


class Driver:
    """The properties of a camera whose frame rate follows from its format and size, as on USB."""

    def __init__(self, rates: dict[int, float], default: tuple[int, int] = (640, 480)) -> None:
        """rates: frames a second by format; a format that is not in it is not taken."""
        self._rates = rates
        self._values = {cv2.CAP_PROP_FOURCC: next(iter(rates)), **dict(zip(SIZE, default, strict=True))}
        self._default = default

    def get(self, prop: int) -> float:
        if prop == cv2.CAP_PROP_FPS:
            return self._rates[int(self._values[cv2.CAP_PROP_FOURCC])]
        return float(self._values.get(prop, 0))

    def set(self, prop: int, value: float) -> bool:
        if prop == cv2.CAP_PROP_FOURCC:
            if int(value) not in self._rates:
                return False
            self._values.update(zip(SIZE, self._default, strict=True))  # some drivers start anew
        self._values[prop] = int(value)
        return True

    @property
    def format(self) -> int:
        return int(self.get(cv2.CAP_PROP_FOURCC))

    @property
    def size(self) -> tuple[float, ...]:
        return tuple(map(self.get, SIZE))


def test_compressed_pictures_are_taken_where_more_of_them_come() -> None:
    driver = Driver({YUYV: 5, MJPG: 30})
    configure(driver, CameraSettings(1920, 1080))
    assert driver.format == MJPG
    assert driver.size == (1920, 1080)


def test_raw_pictures_are_taken_where_as_many_of_them_come() -> None:
    driver = Driver({YUYV: 60, MJPG: 60})
    configure(driver, CameraSettings(1920, 1080))
    assert driver.format == YUYV
    assert driver.size == (1920, 1080)


def test_compressed_pictures_are_taken_where_the_camera_does_not_tell_its_rate() -> None:
    driver = Driver({YUYV: 0, MJPG: 0})
    configure(driver, CameraSettings(1280, 720))
    assert driver.format == MJPG


def test_a_camera_without_compressed_pictures_keeps_its_format() -> None:
    driver = Driver({YUYV: 10})
    configure(driver, CameraSettings(1280, 720))
    assert driver.format == YUYV
    assert driver.size == (1280, 720)


def test_small_pictures_stay_raw() -> None:
    driver = Driver({YUYV: 15, MJPG: 30})
    configure(driver, CameraSettings(640, 480))
    assert driver.format == YUYV


def test_nothing_is_asked_for_that_was_not_wished_for() -> None:
    driver = Driver({YUYV: 30}, default=(320, 240))
    configure(driver, CameraSettings())
    assert driver.size == (320, 240)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A video of 8 plain frames, grey 0, 20, 40, …, at 10 frames a second."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), MJPG, 10.0, (64, 48))
    assert writer.isOpened()
    for i in range(8):
        writer.write(np.full((48, 64, 3), 20 * i, np.uint8))
    writer.release()
    return path


def test_opencv_s_own_capture_gives_frames_until_its_pictures_end(clip: Path) -> None:
    source = start_camera(
        "clip", lambda: cv2.VideoCapture(str(clip)), CameraSettings(), Patience(first_frame=30, frame=30)
    )
    try:
        assert (source.info.width, source.info.height, source.info.frame_rate) == (64, 48, 10)
        frames: list[Frame] = []
        with pytest.raises(SourceError, match="clip: the camera has vanished after 8 pictures"):
            frames.extend(iter(source.read, None))
    finally:
        source.close()
    assert frames[-1].index == 7  # the newest is always seen, whatever was dropped before it
    assert all(abs(int(frame.image[24, 32, 0]) - 20 * frame.index) < 4 for frame in frames)
    assert all(a.pts < b.pts for a, b in itertools.pairwise(frames))
