"""Cameras, with a stand-in for OpenCV's capture: the same few methods, fed by the test."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from model.errors import ConfigError, SourceError
from pipeline.sources.base import Source
from pipeline.sources.cameras.camera import Patience, open_camera, start_camera
from pipeline.sources.cameras.capture import CameraSettings

Picture = np.ndarray | Exception | None

NONE = CameraSettings()
CALM = Patience(first_frame=30, frame=30, end=30, failed_grabs=3)
HASTE = replace(CALM, frame=0.2, end=0.2)


def picture(grey: int = 0) -> np.ndarray:
    return np.full((6, 10, 3), grey, np.uint8)


class FedCapture:
    """Gives what is put into `feed` and waits where there is nothing; None is a grab that fails."""

    def __init__(self, *pictures: Picture, rate: float = 30.0) -> None:
        self.feed: queue.Queue[Picture] = queue.Queue()
        self.rate = rate
        self.used_by: set[str] = set()
        self.released = threading.Event()
        self._grabbed: Picture = None
        for given in pictures:
            self.feed.put(given)

    def __call__(self) -> FedCapture:
        self.used_by.add(threading.current_thread().name)
        return self

    def grab(self) -> bool:
        self.used_by.add(threading.current_thread().name)
        self._grabbed = self.feed.get()
        return self._grabbed is not None

    def retrieve(self) -> tuple[bool, np.ndarray]:
        assert self._grabbed is not None
        if isinstance(self._grabbed, Exception):
            raise self._grabbed
        return self._grabbed.size > 0, self._grabbed

    def get(self, prop: int) -> float:
        return self.rate if prop == cv2.CAP_PROP_FPS else 0.0

    def set(self, prop: int, value: float) -> bool:
        return False

    def release(self) -> None:
        self.used_by.add(threading.current_thread().name)
        self.released.set()

    def let_go(self) -> None:
        """Let a grab that waits fail, as a driver does in the end."""
        self.feed.put(None)


@pytest.fixture
def start(request: pytest.FixtureRequest) -> Callable[..., Source]:
    """Opens a camera on a capture; both are let go of after the test."""

    def started(capture: FedCapture, patience: Patience = CALM, settings: CameraSettings = NONE) -> Source:
        request.addfinalizer(capture.let_go)
        source = start_camera("desk", capture, settings, patience)
        request.addfinalizer(source.close)
        request.addfinalizer(capture.let_go)  # runs first, so that closing need not wait
        return source

    return started


def test_pictures_of_another_size_are_fitted_into_the_first_ones() -> None:
    capture = FedCapture(picture())
    camera = start_camera("desk", capture, NONE, CALM)
    try:
        assert camera.read().image.shape == (6, 10, 3)
        capture.feed.put(np.full((6, 6, 3), 90, np.uint8))
        image = camera.read().image
        assert image.shape == (6, 10, 3)
        assert (image[:, 2:8] == 90).all()
        assert not image[:, :2].any()
        assert camera.warnings == ("desk: the picture size changed; it is fitted into the first one's",)
    finally:
        capture.feed.put(None)
        camera.interrupt()
        for _ in range(3):
            capture.feed.put(None)
        camera.close()


def test_a_picture_becomes_a_frame_and_the_first_one_is_not_lost(start: Callable[..., Source]) -> None:
    frame = start(FedCapture(picture(7))).read()
    assert frame is not None
    assert np.array_equal(frame.image, picture(7))
    assert (frame.index, frame.pts, frame.time_base) == (0, 0, Fraction(1, 1_000_000))


def test_what_is_known_of_a_camera_once_it_is_open(start: Callable[..., Source]) -> None:
    info = start(FedCapture(picture(), rate=29.97)).info
    assert (info.name, info.live, info.width, info.height) == ("desk", True, 10, 6)
    assert info.frame_rate == Fraction(29.97).limit_denominator(1001)
    assert (info.frame_count, info.duration, info.path) == (None, None, None)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), 1e9])
def test_a_frame_rate_that_makes_no_sense_is_unknown(start: Callable[..., Source], rate: float) -> None:
    assert start(FedCapture(picture(), rate=rate)).info.frame_rate is None


def test_the_newest_picture_is_given_and_the_gap_shows_in_the_index(start: Callable[..., Source]) -> None:
    capture = FedCapture(picture(1))
    source = start(capture)
    for grey in (2, 3):
        capture.feed.put(picture(grey))
    deadline = time.monotonic() + 20
    while not capture.feed.empty() and time.monotonic() < deadline:  # the camera's thread takes them
        time.sleep(0.001)
    capture.feed.put(picture(4))
    frames = [source.read()]
    while frames[-1] is not None and frames[-1].index < 3:
        frames.append(source.read())
    assert all(frame is not None and frame.image[0, 0, 0] == frame.index + 1 for frame in frames)
    assert frames[0].index > 0


def test_time_stamps_are_microseconds_of_the_capture_and_strictly_increase(
    start: Callable[..., Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [7.0, 7.04, 7.04, 7.04, 7.1]
    monkeypatch.setattr("pipeline.sources.cameras.camera.monotonic", iter(clock).__next__)
    capture = FedCapture(picture())
    source = start(capture)
    frames = [source.read()]
    for _ in clock[1:]:
        capture.feed.put(picture())
        frames.append(source.read())
    assert [frame and frame.pts for frame in frames] == [0, 40_000, 40_001, 40_002, 100_000]
    assert [frame and frame.captured_at for frame in frames] == clock


def test_one_thread_of_the_camera_s_own_opens_reads_and_releases(start: Callable[..., Source]) -> None:
    capture = FedCapture(picture())
    source = start(capture)
    capture.let_go()
    source.close()
    assert capture.released.is_set()
    assert capture.used_by == {"camera desk"}


def test_an_interrupt_ends_a_read_that_waits_although_the_driver_does_not_return(
    start: Callable[..., Source],
) -> None:
    source = start(FedCapture(picture()))
    assert source.read() is not None
    threading.Timer(0.05, source.interrupt).start()
    started = time.monotonic()
    assert source.read() is None
    assert time.monotonic() - started < 10  # far from the 30 s that it would wait
    assert source.read() is None


def test_closing_does_not_wait_for_a_driver_that_hangs_and_says_so(start: Callable[..., Source]) -> None:
    capture = FedCapture(picture())
    source = start(capture, HASTE)
    source.close()
    assert source.warnings == ("desk: the driver does not let go of the camera yet",)
    source.close()
    assert len(source.warnings) == 1
    capture.let_go()
    assert capture.released.wait(20)


def test_a_driver_that_hangs_is_told_whatever_the_camera_is_called() -> None:
    capture = FedCapture(picture())
    source = start_camera("driver's cab", capture, CameraSettings(1920, 1080), HASTE)
    source.close()
    assert source.warnings[1:] == ("driver's cab: the driver does not let go of the camera yet",)
    capture.let_go()
    assert capture.released.wait(20)


def test_a_camera_that_gives_no_first_picture_in_time_is_refused_and_released() -> None:
    capture = FedCapture()
    with pytest.raises(SourceError, match=r"desk: no picture came for 0\.2 s; unplug"):
        start_camera("desk", capture, NONE, replace(HASTE, first_frame=0.2))
    capture.let_go()
    assert capture.released.wait(20)


def test_the_opening_of_a_camera_can_be_interrupted_from_another_thread() -> None:
    capture, interrupted = FedCapture(), threading.Event()
    threading.Timer(0.05, interrupted.set).start()
    started = time.monotonic()
    with pytest.raises(SourceError, match="desk: interrupted before its first picture came"):
        start_camera("desk", capture, NONE, replace(CALM, end=0.1), interrupted)
    assert time.monotonic() - started < 10  # far from the 30 s that it would wait
    capture.let_go()
    assert capture.released.wait(20)


def test_what_interrupted_the_opening_also_ends_a_read() -> None:
    capture, interrupted = FedCapture(picture()), threading.Event()
    source = start_camera("desk", capture, NONE, replace(CALM, end=0.1), interrupted)
    assert source.read() is not None
    threading.Timer(0.05, interrupted.set).start()
    assert source.read() is None
    capture.let_go()
    source.close()


def test_a_camera_that_opens_but_only_fails_is_refused() -> None:
    capture = FedCapture(None, None, None)
    with pytest.raises(SourceError, match="desk: opened, but gives no picture; close other programs"):
        start_camera("desk", capture, NONE, CALM)
    assert capture.released.wait(20)


def test_a_camera_that_cannot_be_opened_says_why_in_the_thread_that_asked() -> None:
    def refuse() -> FedCapture:
        raise SourceError("camera 4: there is no /dev/video4")

    with pytest.raises(SourceError, match="there is no /dev/video4"):
        start_camera("desk", refuse, NONE, CALM)


def test_a_camera_that_vanishes_gives_its_last_picture_and_then_the_reason(
    start: Callable[..., Source],
) -> None:
    source = start(FedCapture(picture(5), None, None, None))
    for thread in threading.enumerate():
        if thread.name == "camera desk":
            thread.join(20)
    frame = source.read()
    assert frame is not None
    for _ in range(2):
        with pytest.raises(SourceError, match="desk: the camera has vanished after 1 pictures; check its"):
            source.read()


def test_a_camera_that_stalls_is_told_from_one_that_vanished(start: Callable[..., Source]) -> None:
    source = start(FedCapture(picture()), HASTE)
    assert source.read() is not None
    with pytest.raises(SourceError, match=r"desk: no picture came for 0\.2 s"):
        source.read()


@pytest.mark.parametrize("damaged", [None, np.empty((0, 0, 3), np.uint8), cv2.error("broken JPEG")])
def test_damaged_pictures_are_passed_over_as_long_as_good_ones_come_between(
    start: Callable[..., Source], damaged: Picture
) -> None:
    capture = FedCapture(picture())
    source = start(capture)
    assert source.read() is not None
    for index in (1, 2):
        for given in (damaged, damaged, picture(9)):
            capture.feed.put(given)
        frame = source.read()
        assert frame is not None
        assert (frame.index, frame.image[0, 0, 0]) == (index, 9)


@pytest.mark.parametrize("shape", [(6, 10), (6, 10, 1), (6, 10, 4)])
def test_grey_pictures_and_pictures_with_alpha_become_bgr(
    start: Callable[..., Source], shape: tuple[int, ...]
) -> None:
    frame = start(FedCapture(np.full(shape, 77, np.uint8))).read()
    assert frame is not None
    assert np.array_equal(frame.image, picture(77))


def test_pictures_of_16_bits_are_refused_with_what_to_do() -> None:
    with pytest.raises(SourceError, match="1 channels of uint16; expected grey or colour of 8 bits: choose"):
        start_camera("depth", FedCapture(np.zeros((6, 10), np.uint16)), NONE, CALM)


def test_what_the_camera_gives_other_than_asked_for_is_a_warning(start: Callable[..., Source]) -> None:
    source = start(FedCapture(picture(), rate=15), settings=CameraSettings(1920, 1080, 30))
    assert source.warnings == (
        "desk: asked for 1920 x 1080, gives 10 x 6",
        "desk: asked for 30 frames a second, gives 15",
    )


def test_a_camera_that_gives_what_was_asked_for_warns_of_nothing(start: Callable[..., Source]) -> None:
    assert start(FedCapture(picture(), rate=29.97), settings=CameraSettings(10, 6, 30)).warnings == ()


@pytest.mark.parametrize("wish", [{"width": 0}, {"height": -1}, {"frame_rate": 0.0}])
def test_wishes_that_make_no_sense_are_refused(wish: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="must be above 0"):
        open_camera(0, **wish)


def test_a_negative_index_is_refused() -> None:
    with pytest.raises(ConfigError, match="counted from 0, got -1"):
        open_camera(-1)
