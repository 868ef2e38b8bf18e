"""One of every kind of source, for the tests of what all of them have to do."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline.sources.base import Source
from pipeline.sources.cameras.camera import start_camera
from pipeline.sources.cameras.capture import CameraSettings
from pipeline.sources.images import find_media
from pipeline.sources.network.stream import open_stream
from pipeline.sources.sequence import open_images
from pipeline.sources.video import open_video
from tests.clips import write_clip
from tests.pipeline.sources.media_server import live, media
from tests.pipeline.sources.rtsp_server import camera
from tests.weights_server import serving, whole

FRAMES = 12
SIZE = (64, 48)  # width, height
Opener = Callable[[], Source]


@dataclass(frozen=True)
class Case:
    """A way to open a source.

    kind:  a key of `pipeline.sources.SOURCES`
    ready: what has to run while it is open
    ends:  whether it ends by itself after `FRAMES`
    """

    kind: str
    ready: Callable[[Path], contextlib.AbstractContextManager[Opener]]
    ends: bool = True


@contextlib.contextmanager
def _video(folder: Path, **changes: object) -> Iterator[Opener]:
    write_clip(folder / "a.mp4", frames=FRAMES, **changes)
    yield lambda: open_video(folder / "a.mp4")


@contextlib.contextmanager
def _images(folder: Path) -> Iterator[Opener]:
    for number in range(FRAMES):
        assert cv2.imwrite(str(folder / f"{number}.png"), np.full((SIZE[1], SIZE[0], 3), number, np.uint8))
    yield lambda: open_images(find_media(folder).images)


@contextlib.contextmanager
def _recording(folder: Path) -> Iterator[Opener]:
    with serving(whole(media("a.mp4", FRAMES))) as server:
        yield lambda: open_stream(server.address)


@contextlib.contextmanager
def _live(folder: Path) -> Iterator[Opener]:
    with serving(live(media("a.ts", 30), stalls=True)) as server:
        yield lambda: open_stream(server.address)


@contextlib.contextmanager
def _rtsp(folder: Path) -> Iterator[Opener]:
    with camera(media("a.ts", 30)) as server:
        yield lambda: open_stream(f"rtsp://127.0.0.1:{server.port}/1")


class _Webcam:
    """OpenCV's capture, as far as it is used, of a camera that gives a picture every few milliseconds."""

    def grab(self) -> bool:
        time.sleep(0.002)
        return True

    def retrieve(self) -> tuple[bool, np.ndarray]:
        return True, np.zeros((SIZE[1], SIZE[0], 3), np.uint8)

    def get(self, prop: int) -> float:
        return 0.0

    def set(self, prop: int, value: float) -> bool:
        return False

    def release(self) -> None:
        pass


@contextlib.contextmanager
def _camera(folder: Path) -> Iterator[Opener]:
    yield lambda: start_camera("desk", _Webcam, CameraSettings())


CASES = {
    "video": Case("video", _video),
    "interlaced video": Case("video", lambda folder: _video(folder, interlaced=True)),
    "images": Case("images", _images),
    "recording over http": Case("stream", _recording),
    "live over http": Case("stream", _live, ends=False),
    "rtsp": Case("stream", _rtsp, ends=False),
    "camera": Case("camera", _camera, ends=False),
}
