"""The cameras of this machine, by index and name."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from model.errors import SourceError

_MOST_PROBED = 8


@dataclass(frozen=True)
class CameraInfo:
    """One camera that the system knows of.

    index: what it is opened by
    name:  what the maker calls it; two of one kind share it
    path:  the system's own identifier, such as "/dev/video0"; "" where it has none
    """

    index: int
    name: str
    path: str = ""


def list_cameras(root: Path = Path("/")) -> tuple[CameraInfo, ...]:
    """The cameras of this machine by index.

    No camera is opened for it on Linux, where `root` is the root of the file system that is asked, nor on
    macOS and Windows with `cv2_enumerate_cameras`. Elsewhere the first few indices are tried out, which
    makes the cameras' lights flash.
    """
    if platform.system() == "Linux":
        return tuple(sorted(_from_sysfs(root), key=lambda camera: camera.index))
    with contextlib.suppress(ImportError):
        return _enumerated()
    return tuple(_probed())


def find_camera(name: str, cameras: Iterable[CameraInfo]) -> CameraInfo:
    """The one camera that has this name, or else this text within its name; case does not matter.

    Raises SourceError when there is none or more than one.
    """
    cameras = tuple(cameras)
    wanted = name.casefold()
    found = [camera for camera in cameras if camera.name.casefold() == wanted]
    found = found or [camera for camera in cameras if wanted in camera.name.casefold()]
    if len(found) == 1:
        return found[0]
    if found:
        raise SourceError(f"more than one camera is called {name!r}: {told(found)}; give the number instead")
    raise SourceError(f"no camera is called {name!r}; {told(cameras)}")


def told(cameras: Iterable[CameraInfo]) -> str:
    """The cameras in one line, for messages."""
    line = ", ".join(f"{camera.index} ({camera.name})" for camera in cameras)
    return f"there are {line}" if line else "no camera was found on this machine"


def _from_sysfs(root: Path) -> Iterator[CameraInfo]:
    for node in (root / "sys/class/video4linux").glob("video*"):
        number = node.name.removeprefix("video")
        device = root / "dev" / node.name  # a container sees the host's nodes here, but not its devices
        if number.isdecimal() and device.exists() and _captures(node, root):
            yield CameraInfo(int(number), _line(node / "name") or node.name, str(device))


def _captures(node: Path, root: Path) -> bool:
    """Return True if a video node gives pictures; a camera has others, which give its metadata only.

    udev has asked the device when it was plugged in. Where there is no udev, the first node of a device is
    taken for the one with the pictures.
    """
    with contextlib.suppress(OSError):
        record = (root / f"run/udev/data/c{_line(node / 'dev')}").read_text(errors="replace")
        for line in record.splitlines():
            if line.startswith("E:ID_V4L_CAPABILITIES="):
                return ":capture:" in line
    return _line(node / "index") in ("", "0")


def _line(path: Path) -> str:
    """The one line of a small file of the system; "" when it cannot be read."""
    with contextlib.suppress(OSError):
        return path.read_text(errors="replace").strip()
    return ""


def _enumerated() -> tuple[CameraInfo, ...]:
    from cv2_enumerate_cameras import enumerate_cameras

    from pipeline.sources.cameras.opencv import backend

    return tuple(
        CameraInfo(camera.index, camera.name, camera.path or "") for camera in enumerate_cameras(backend())
    )


def _probed() -> Iterator[CameraInfo]:
    from pipeline.sources.cameras.opencv import exists

    for index in range(_MOST_PROBED):
        if exists(index):
            yield CameraInfo(index, f"camera {index}")
