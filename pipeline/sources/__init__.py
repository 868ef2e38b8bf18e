"""Sources of frames: opens any source by what a user typed.

What a source needs (PyAV, OpenCV, Pillow) is imported as one of its kind is opened.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from model.errors import ConfigError, SourceError
from model.names import did_you_mean
from pipeline.sources.addresses import SCHEMES, is_address, redacted, scheme_of

if TYPE_CHECKING:
    from pipeline.sources.base import Source

CAMERA_PREFIX = "camera:"

_NUMBER = re.compile(r"[0-9]+")


@dataclass(frozen=True)
class SourceOptions:
    """Options of a source; each kind takes those that concern it.

    image_rate:    frames a second of a sequence of images
    letterbox:     whether its images are brought to the first one's size; else another size ends it
    width, height: of a camera's pictures in pixels, None its own choice, as for `camera_rate`
    camera_rate:   frames a second of a camera
    bare_rate:     frames a second of a video file whose frames have no times; None for what its codec says
    open_timeout:  seconds that a stream may take to answer
    read_timeout:  seconds that it may then take for its next packet
    reconnect:     whether a stream that is lost is tried again, a few times, before its reader is told
    threads:       of a video's decoder, 0 as many as there are cores
    """

    image_rate: Fraction = Fraction(25)
    letterbox: bool = False
    width: int | None = None
    height: int | None = None
    camera_rate: float | None = None
    bare_rate: Fraction | None = None
    open_timeout: float = 5.0
    read_timeout: float = 5.0
    reconnect: bool = True
    threads: int = 0


Interruption = threading.Event | None
Opener = Callable[[str, SourceOptions, Interruption], "Source"]


def kind_of(text: str) -> str:
    """The kind of source, a key of `SOURCES`, that a text stands for. Reads at most the headers in a file.

    A number or `camera:NAME` is a camera, `scheme://…` a stream, a folder or a pattern a sequence of
    images; the content of a file decides between an image and a video, the name of one that is not there.
    Raises ConfigError when the scheme is none that can be opened.
    """
    if is_camera(text):
        return "camera"
    if is_address(text):
        _check_scheme(text)
        return "stream"
    return "video" if _is_video(text) else "images"


def is_camera(text: str) -> bool:
    """Return True if a text stands for a camera: its number, or `camera:NAME`."""
    return bool(_NUMBER.fullmatch(text)) or text.lower().startswith(CAMERA_PREFIX)


def open_source(
    text: str,
    kind: str | None = None,
    options: SourceOptions | None = None,
    interrupted: Interruption = None,
) -> Source:
    """Open what a user typed; `kind` is a key of `SOURCES`, by default that of `kind_of`.

    `interrupted`, set from any thread, ends the opening of a stream or camera, which may take seconds and
    gives no source yet to interrupt; it goes on to stand for the source's own `interrupt`.

    Raises ConfigError when the kind or the scheme is unknown, SourceError when the source cannot be opened.
    """
    if kind is None:
        kind = kind_of(text)
    if kind not in SOURCES:
        hint = did_you_mean(kind, SOURCES)
        raise ConfigError(
            f"no kind of source is {kind!r};{hint and ' '}{hint} there are {', '.join(SOURCES)}"
        )
    return SOURCES[kind](text, options or SourceOptions(), interrupted)


def which_camera(text: str) -> str:
    """The number or name in a text that stands for a camera; "" where it names none."""
    return text[len(CAMERA_PREFIX) :].strip() if text.lower().startswith(CAMERA_PREFIX) else text


def _check_scheme(address: str) -> None:
    scheme = scheme_of(address)
    if scheme not in SCHEMES:
        hint = "; name the file by its path" if scheme == "file" else ""
        raise ConfigError(
            f"{redacted(address)}: {scheme}:// cannot be opened; expected {', '.join(SCHEMES)}{hint}"
        )


def _is_video(text: str) -> bool:
    from pipeline.sources.images import VIDEO_SUFFIXES, find_media

    path = Path(text)
    try:
        if path.is_file():
            return bool(find_media(path).videos)
    except OSError:  # a name too long for this system: it is no file that is there
        pass
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir()


def _open_video(text: str, options: SourceOptions, interrupted: Interruption) -> Source:
    from pipeline.sources.video import open_video

    return open_video(Path(text), threads=options.threads, frame_rate=options.bare_rate)


def _open_stream(text: str, options: SourceOptions, interrupted: Interruption) -> Source:
    if not is_address(text):
        raise ConfigError(f"{redacted(text)}: no address; expected {', '.join(f'{s}://' for s in SCHEMES)}")
    _check_scheme(text)
    from pipeline.sources.network.receiver import Reconnect
    from pipeline.sources.network.stream import open_stream

    return open_stream(
        text,
        open_timeout=options.open_timeout,
        read_timeout=options.read_timeout,
        reconnect=Reconnect() if options.reconnect else Reconnect(attempts=0),
        interrupted=interrupted,
    )


def _open_camera(text: str, options: SourceOptions, interrupted: Interruption) -> Source:
    from pipeline.sources.cameras.camera import open_camera

    which = which_camera(text)
    if not which:
        raise ConfigError(
            f"{text!r} names no camera; expected a number or a part of its name after the colon"
        )
    return open_camera(
        which,
        width=options.width,
        height=options.height,
        frame_rate=options.camera_rate,
        interrupted=interrupted,
    )


def _open_images(text: str, options: SourceOptions, interrupted: Interruption) -> Source:
    from pipeline.sources.images import find_media
    from pipeline.sources.sequence import open_images

    found = find_media(text)
    if found.videos:  # leaving them out would lose them without a word
        raise SourceError(
            f"{text}: holds {len(found.images)} images and {len(found.videos)} videos, but a source is one "
            "sequence of images or one video; choose one of the videos, or put the images into a folder of "
            "their own (a pattern such as '*.jpg' chooses them, too)"
        )
    return open_images(found.images, options.image_rate, options.letterbox)


# kind -> what opens a source of it
SOURCES: dict[str, Opener] = {
    "video": _open_video,
    "stream": _open_stream,
    "camera": _open_camera,
    "images": _open_images,
}
