"""Video files."""

from __future__ import annotations

import stat
import threading
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import replace
from io import FileIO
from pathlib import Path
from time import monotonic

import av
from av.container import InputContainer

from model.errors import SourceError
from pipeline.frame import Frame
from pipeline.sources.base import SourceInfo
from pipeline.sources.decoding import FrameMaker, decoded
from pipeline.sources.extent import Extent
from pipeline.sources.ffmpeg import (
    CONTAINERS,
    choose_stream,
    limits,
    nominal_duration,
    nominal_rate,
    reason,
)
from pipeline.sources.troubles import Troubles

_BUFFER = 256 * 1024  # bytes that are read at once
_PLAYLISTS = (b"#EXTM3U", b"[playlist]", b"ffconcat", b"<?xml", b"<MPD", b"<smil", b"v=0")


def open_video(path: Path, *, threads: int = 0) -> VideoSource:
    """A video file, opened up to its first frame.

    threads: that decode; 0 for as many as there are processors

    FFmpeg is handed the bytes of this one file, no name, and no protocol by which it could open anything
    else. Playlists, lists of pictures and descriptions of streams are refused.

    Raises SourceError when there is no such file, when it is no video, or when nothing of it can be decoded.
    """
    resources = ExitStack()
    try:
        file = resources.enter_context(_open_file(path))
        container = resources.enter_context(_open_container(file, path))
        stream = choose_stream(container, str(path))
        stream.codec_context.thread_type = "AUTO"
        stream.codec_context.thread_count = threads
        return VideoSource(path, container, stream, resources)
    except BaseException:
        resources.close()
        raise


class VideoSource:
    """The frames of a video file with their exact stamps, as `Source` has it."""

    def __init__(
        self, path: Path, container: InputContainer, stream: av.VideoStream, resources: ExitStack
    ) -> None:
        """resources: what `close` closes. Raises SourceError when nothing can be decoded."""
        self._resources = resources
        self._interrupted = threading.Event()
        self._troubles = Troubles()
        self._frames = self._read_all(container, stream, path.stat().st_size)
        self._first = next(self._frames, None)
        if self._first is None:
            why = "; ".join(self.warnings) or "it holds no frames"
            raise SourceError(f"{path}: nothing of the video can be decoded: {why}")
        height, width = self._first.size
        rate, duration = nominal_rate(stream), nominal_duration(container, stream)
        estimate = round(rate * duration) if rate and duration else None
        self._info = SourceInfo(
            name=str(path),
            live=False,
            width=width,
            height=height,
            frame_rate=rate,
            frame_count=stream.frames or estimate,
            duration=duration,
            path=path,
        )

    @property
    def info(self) -> SourceInfo:
        """What the file's header says, and the size of the first picture."""
        return self._info

    @property
    def warnings(self) -> tuple[str, ...]:
        """What went wrong so far, each kind once."""
        return self._troubles.told

    def read(self) -> Frame | None:
        """The next frame; None at the end, where the file breaks off, once interrupted and once closed."""
        if self._interrupted.is_set():
            return None
        first, self._first = self._first, None
        return replace(first, captured_at=monotonic()) if first else next(self._frames, None)

    def interrupt(self) -> None:
        """From any thread: no more frames. A file on disk does not keep `read` waiting."""
        self._interrupted.set()

    def close(self) -> None:
        """Close the file and end the decoder's threads."""
        self._interrupted.set()
        self._first = None
        self._frames.close()
        self._resources.close()

    def _read_all(
        self, container: InputContainer, stream: av.VideoStream, file_size: int
    ) -> Generator[Frame, None, None]:
        maker = FrameMaker(stream, self._troubles)
        extent = Extent(container, stream, file_size)
        try:
            for picture in decoded(container, stream, self._troubles, extent.watch):
                frame = maker.make(picture)
                if frame is not None:
                    yield frame
        except (av.FFmpegError, OSError) as error:
            self._troubles.add(f"reading stopped before the end: {reason(error)}")
        if shortfall := extent.shortfall():
            self._troubles.add(shortfall)


def _open_file(path: Path) -> FileIO:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise SourceError(f"{path}: a folder; expected a video file")
        if not stat.S_ISREG(mode):  # opening a pipe would wait for somebody to write into it
            raise SourceError(f"{path}: not a regular file; expected a video file")
        return FileIO(path)
    except FileNotFoundError:
        raise SourceError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise SourceError(f"{path}: cannot be read: {reason(error)}") from error


def _open_container(file: FileIO, path: Path) -> InputContainer:
    try:
        return av.open(
            file,
            "r",
            options=limits(CONTAINERS, protocols=()),
            buffer_size=_BUFFER,
            metadata_errors="replace",
        )
    except (av.FFmpegError, OSError) as error:
        raise SourceError(f"{path}: {_refusal(path, error)}") from error


def _refusal(path: Path, error: Exception) -> str:
    """Why a file that exists was not taken for a video."""
    try:
        with path.open("rb") as file:
            head = file.read(512).lstrip(b"\xef\xbb\xbf \t\r\n")
    except OSError as unreadable:  # a disk that fails, or a file that is gone by now
        return f"cannot be read: {reason(unreadable)}"
    if not head:
        return "an empty file; expected a video"
    if head.startswith(_PLAYLISTS):
        return "a playlist or a description of streams; name the video itself"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "an animated WebP, which cannot be decoded here; convert it to GIF or MP4"
    if isinstance(error, (av.InvalidDataError, av.ArgumentError, av.EOFError)):
        return "not a video that can be read, or one whose beginning or index is damaged or missing"
    return f"cannot be read as a video: {reason(error)}"
