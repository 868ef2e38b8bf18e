"""OpenCV's access to cameras: how one is opened and set up, and why it could not be."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import SourceError
from pipeline.frame import Image
from pipeline.sources.cameras.listing import list_cameras, told
from pipeline.sources.cameras.opencv import backend, prepare_opencv

_MJPG = cv2.VideoWriter.fourcc(*"MJPG")
_RAW_IS_FAST_ENOUGH = 640 * 480  # pixels; above that USB 2 has no room for 30 raw pictures a second
_TO_BGR = {1: cv2.COLOR_GRAY2BGR, 4: cv2.COLOR_BGRA2BGR}


@dataclass(frozen=True)
class CameraSettings:
    """Settings of a camera, None for its own choice: pixels, and frames a second."""

    width: int | None = None
    height: int | None = None
    frame_rate: float | None = None


class Capture(Protocol):
    """The part of `cv2.VideoCapture` that a source needs. Used by one thread."""

    def grab(self) -> bool:
        """Wait for the next picture; False when there was none."""

    def retrieve(self) -> tuple[bool, NDArray[Any]]:
        """Decode the picture that was grabbed: whether it worked, and an array of its own."""

    def get(self, propId: int, /) -> float:  # noqa: N803  (OpenCV's own name)
        """A property, 0 where the camera does not tell."""

    def set(self, propId: int, value: float, /) -> bool:  # noqa: N803
        """Ask for a property; what became of it is seen by `get` only."""

    def release(self) -> None:
        """Release the camera."""


Connect = Callable[[], Capture]


def connect(index: int, settings: CameraSettings) -> Capture:
    """The camera of that index, opened and set up as near to `settings` as it can be.

    Raises SourceError when there is none, or it is busy or forbidden.
    """
    prepare_opencv()
    capture = cv2.VideoCapture(index, backend())
    if not capture.isOpened():
        capture.release()
        raise SourceError(why_not(index))
    configure(cast(Capture, capture), settings)
    return cast(Capture, capture)


def configure(capture: Capture, settings: CameraSettings) -> None:
    """Ask for size and frame rate; compressed pictures where the camera says that more of them come.

    Raw pictures show no artefacts, but a large one takes so long on USB that a camera which gives 30
    compressed ones a second has time for 5 of them.
    """
    _ask(capture, settings)
    if not _is_large(capture):
        return
    raw_format, raw_rate = capture.get(cv2.CAP_PROP_FOURCC), capture.get(cv2.CAP_PROP_FPS)
    capture.set(cv2.CAP_PROP_FOURCC, _MJPG)
    _ask(capture, settings)  # drivers forget the rest as the format changes
    if raw_rate > 0 and capture.get(cv2.CAP_PROP_FPS) <= raw_rate:
        capture.set(cv2.CAP_PROP_FOURCC, raw_format)
        _ask(capture, settings)


def as_bgr(image: NDArray[Any]) -> Image:
    """A camera's picture as [H, W, 3] uint8 BGR. Raises SourceError when it is none of 8 bits."""
    channels = 1 if image.ndim == 2 else image.shape[2]
    if image.dtype != np.uint8 or channels not in (1, 3, 4):
        raise SourceError(
            f"the camera gives pictures of {channels} channels of {image.dtype}; expected grey or colour "
            "of 8 bits: choose another format in the camera's own settings"
        )
    bgr = cv2.cvtColor(image, _TO_BGR[channels]) if channels in _TO_BGR else image
    return cast(Image, bgr)


def why_not(index: int, root: Path = Path("/")) -> str:
    """Return why a camera could probably not be opened, and what to do; `root`: see `list_cameras`."""
    if platform.system() != "Linux":
        return (
            f"camera {index} cannot be opened: there is none of that number, another program is using it, or "
            f"this program may not use cameras (see the system's privacy settings); {told(list_cameras())}"
        )
    device = root / f"dev/video{index}"
    if not device.exists():
        return (
            f"camera {index}: there is no {device}; plug it in, or choose another: {told(list_cameras(root))}"
        )
    if not os.access(device, os.R_OK | os.W_OK):
        return f"camera {index}: {device} may not be read by you; join its group (`video`) and log in again"
    return (
        f"camera {index}: {device} cannot be opened: another program is using it, or it gives no pictures; "
        f"close the other program, or choose another: {told(list_cameras(root))}"
    )


def _ask(capture: Capture, settings: CameraSettings) -> None:
    wishes = (
        (cv2.CAP_PROP_FRAME_WIDTH, settings.width),
        (cv2.CAP_PROP_FRAME_HEIGHT, settings.height),
        (cv2.CAP_PROP_FPS, settings.frame_rate),
    )
    for wish, value in wishes:
        if value is not None:
            capture.set(wish, value)


def _is_large(capture: Capture) -> bool:
    pixels = capture.get(cv2.CAP_PROP_FRAME_WIDTH) * capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    return pixels > _RAW_IS_FAST_ENOUGH
