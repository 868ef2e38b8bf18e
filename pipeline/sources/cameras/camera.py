"""A camera as a source: always its newest picture."""

from __future__ import annotations

import math
import re
import threading
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from time import monotonic

import cv2

from model.errors import ConfigError, SourceError
from pipeline.frame import Frame, Image
from pipeline.sources.base import Source, SourceInfo
from pipeline.sources.cameras.capture import CameraSettings, Capture, Connect, as_bgr, connect
from pipeline.sources.cameras.listing import find_camera, list_cameras
from pipeline.sources.picture.letterbox import letterboxed

TIME_BASE = Fraction(1, 1_000_000)

_INDEX = re.compile(r"[0-9]{1,9}")  # OpenCV takes no more than 31 bits; a longer number can be a name only
_POLL = 0.1  # seconds
_PAUSE = 0.05  # seconds between grabs that fail, which take no time at all once a camera is unplugged


@dataclass(frozen=True)
class Patience:
    """Limits on waiting for a camera, in seconds.

    first_frame:  from the beginning to the first picture; some cameras take seconds to wake up
    frame:        for each later one
    end:          for the driver to return as the source is closed
    failed_grabs: how many in a row mean that it is gone
    """

    first_frame: float = 10.0
    frame: float = 5.0
    end: float = 1.5
    failed_grabs: int = 10


def open_camera(
    which: int | str,
    *,
    width: int | None = None,
    height: int | None = None,
    frame_rate: float | None = None,
    interrupted: threading.Event | None = None,
) -> Source:
    """A camera by its index, or by its name or a part of that.

    interrupted: setting it, from any thread, ends the opening too, when there is no source yet to interrupt

    The camera gives what comes nearest to the size, in pixels, and the frames a second that are asked for;
    where that is something else, `warnings` says so. Raises SourceError when it is absent, busy, forbidden,
    gives no picture within 10 s or is interrupted, ConfigError when what is asked for makes no sense.
    """
    settings = CameraSettings(width, height, frame_rate)
    for wish in (width, height, frame_rate):
        if wish is not None and not wish > 0:
            raise ConfigError(f"a camera's size and frame rate must be above 0, got {wish}")
    index, name = _identify(which)
    return start_camera(name, partial(connect, index, settings), settings, interrupted=interrupted)


def start_camera(
    name: str,
    connect: Connect,
    settings: CameraSettings,
    patience: Patience = Patience(),
    interrupted: threading.Event | None = None,
) -> Source:
    """A source of what `connect` gives, which is called, used and released by a thread of the source's own.

    Raises what `connect` raises, and SourceError when no picture comes or `interrupted` is set before.
    """
    camera = _Camera(name, connect, patience, interrupted or threading.Event())
    try:
        camera.start(settings)
    except BaseException:
        camera.close()
        raise
    return camera


def _identify(which: int | str) -> tuple[int, str]:
    """A camera's index, and what to call it in messages."""
    if isinstance(which, str) and not _INDEX.fullmatch(which):
        camera = find_camera(which, list_cameras())
        return camera.index, camera.name
    index = int(which)
    if index < 0:
        raise ConfigError(f"cameras are counted from 0, got {index}")
    names = {camera.index: camera.name for camera in list_cameras()}
    return index, names.get(index, f"camera {index}")


class _Camera:
    """The newest picture of a capture.

    A driver may keep whoever asks for a picture waiting, and cannot be interrupted. So a thread of the
    camera's own asks, and leaves each picture where `read` finds it, in place of the one before; that also
    keeps the driver's buffers empty, in which pictures would grow old. (A single buffer in the driver would
    not do: it is held while its picture is decoded, and the next picture is missed.)
    """

    def __init__(self, name: str, connect: Connect, patience: Patience, interrupted: threading.Event) -> None:
        self._name = name
        self._connect = connect
        self._patience = patience
        self._stopped = interrupted
        self._changed = threading.Condition()  # guards all that follows
        self._newest: Frame | None = None
        self._error: BaseException | None = None
        self._count = 0
        self._began = 0.0
        self._pts = -1
        self._rate: Fraction | None = None
        self._info: SourceInfo | None = None
        self._warnings: tuple[str, ...] = ()
        self._thread = threading.Thread(target=self._work, name=f"camera {name}", daemon=True)

    @property
    def info(self) -> SourceInfo:
        assert self._info is not None, "a camera is handed out once its first picture has come"
        return self._info

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._warnings

    def start(self, settings: CameraSettings) -> None:
        """Begin, and wait for the first picture, which the first `read` finds unless there is a newer one."""
        self._thread.start()
        with self._changed:
            self._wait(self._patience.first_frame)
            frame = self._newest
            if frame is None:
                raise SourceError(f"{self._name}: interrupted before its first picture came")
            height, width = frame.size
            self._info = SourceInfo(self._name, True, width, height, frame_rate=self._rate)
            self._warnings = tuple(_differences(self._name, self._info, settings))

    def read(self) -> Frame | None:
        with self._changed:
            self._wait(self._patience.frame)
            frame, self._newest = self._newest, None
        if frame is None or self._stopped.is_set():
            return None
        return self._of_first_size(frame)

    def interrupt(self) -> None:
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Release the camera; where the driver does not return in time, it is released once it does.

        Until then the camera stays busy. Its thread does not keep the program from ending.
        """
        self.interrupt()
        if self._thread.ident is not None:
            self._thread.join(self._patience.end)
        stuck = f"{self._name}: the driver does not let go of the camera yet"
        if self._thread.is_alive() and stuck not in self._warnings:
            self._warnings += (stuck,)

    def _wait(self, seconds: float) -> None:
        """Until there is a picture, or the source was stopped; raises when neither comes."""
        for _ in range(math.ceil(seconds / _POLL)):  # setting `interrupted` does not notify
            if self._changed.wait_for(
                lambda: self._newest or self._error or self._stopped.is_set(), timeout=_POLL
            ):
                break
        if self._newest is not None or self._stopped.is_set():
            return
        if self._error is not None:
            raise self._error
        raise SourceError(
            f"{self._name}: no picture came for {seconds:g} s; unplug the camera and plug it in again, or "
            "close other programs that use it"
        )

    def _work(self) -> None:
        """The thread: the whole life of the capture, from opening to release."""
        try:
            capture = self._connect()
            try:
                self._grab(capture)
            finally:
                capture.release()
        except BaseException as error:  # whatever it is, it must reach the reader, not a thread's end
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _grab(self, capture: Capture) -> None:
        self._rate = _sensible_rate(capture.get(cv2.CAP_PROP_FPS))
        failed = 0
        while not self._stopped.is_set():
            grabbed = capture.grab()
            at = monotonic()  # before decoding, which takes its time
            image = _decoded(capture) if grabbed else None
            if image is not None:
                failed = 0
                self._offer(image, at)
                continue
            failed += 1
            if failed == self._patience.failed_grabs:
                raise SourceError(self._why_gone())
            self._stopped.wait(_PAUSE)

    def _offer(self, image: Image, at: float) -> None:
        """Replace the waiting picture by a newer one; at: seconds of `time.monotonic()`."""
        with self._changed:
            if self._count == 0:
                self._began = at
            self._pts = max(round((at - self._began) / TIME_BASE), self._pts + 1)
            self._newest = Frame(image, self._count, self._pts, TIME_BASE, at)
            self._count += 1
            self._changed.notify_all()

    def _of_first_size(self, frame: Frame) -> Frame:
        """The frame, whole and between bars where its size is not the first one's; that is told once."""
        size = (self.info.height, self.info.width)
        if frame.size == size:
            return frame
        changed = f"{self._name}: the picture size changed; it is fitted into the first one's"
        if changed not in self._warnings:
            self._warnings += (changed,)
        return replace(frame, image=letterboxed(frame.image, size))

    def _why_gone(self) -> str:
        if self._count == 0:
            return f"{self._name}: opened, but gives no picture; close other programs that use the camera"
        return f"{self._name}: the camera has vanished after {self._count} pictures; check its cable"


def _decoded(capture: Capture) -> Image | None:
    try:
        ok, image = capture.retrieve()
    except cv2.error:  # a picture that was damaged on its way
        return None
    return as_bgr(image) if ok and image is not None and image.size else None


def _sensible_rate(rate: float) -> Fraction | None:
    """Frames a second as a camera reports them, which is 0, -1 or nonsense where it does not know."""
    return Fraction(rate).limit_denominator(1001) if 0 < rate <= 1000 else None


def _differences(name: str, info: SourceInfo, settings: CameraSettings) -> list[str]:
    """Return the differences between the camera's pictures and the settings, in words."""
    told = []
    wanted = (settings.width or info.width, settings.height or info.height)
    if wanted != (info.width, info.height):
        told.append(f"{name}: asked for {wanted[0]} x {wanted[1]}, gives {info.width} x {info.height}")
    if settings.frame_rate and info.frame_rate and round(info.frame_rate) != round(settings.frame_rate):
        told.append(
            f"{name}: asked for {settings.frame_rate:g} frames a second, gives {float(info.frame_rate):g}"
        )
    return told
