"""A video file on disk, opened with FFmpeg."""

from __future__ import annotations

import os
import stat
from io import FileIO
from pathlib import Path

import av
from av.container import InputContainer

from model.errors import SourceError
from pipeline.sources.ffmpeg import CONTAINERS, WITHOUT_STAMPS, choose_stream, limits, reason
from pipeline.sources.timing.length import length_of

_EBML, _SEGMENT = bytes.fromhex("1a45dfa3"), bytes.fromhex("18538067")


MOTION_JPEG_SUFFIXES = frozenset({".mjpeg", ".mjpg"})

_BUFFER = 256 * 1024  # bytes that are read at once
_HEAD = 4096  # bytes by which a file is known
_LARGEST_JPEG = 1 << 22  # bytes within which the second picture of a motion JPEG begins
_JPEG, _NEXT_JPEG = b"\xff\xd8\xff", b"\xff\xd9\xff\xd8\xff"
_PLAYLISTS = (b"#EXTM3U", b"[playlist]", b"ffconcat", b"<?xml", b"<MPD", b"<smil", b"v=0")
_PATCHWORK = frozenset({"gif", "apng"})  # each picture is laid over the one before, yet called a key frame


class VideoFile:
    """The container and the best video stream of one file, ready to be read from the start.

    `length` is how long its pictures are shown; `whole` is False where bytes are missing at its end, True
    where none are, and None where the file does not say.

    FFmpeg is handed the bytes of this one file, no name, and no protocol by which it could open anything
    else. Playlists, lists of pictures and descriptions of streams are refused.
    """

    def __init__(self, path: Path, threads: int) -> None:
        """threads: that decode; 0 for as many as there are processors. Raises SourceError."""
        self.path = path
        self._threads = threads
        self._file = _open_file(path)
        try:
            head = self._head()
            end = segment_end(head)
            self.whole = None if end is None else self.size >= end
            self._format = "mjpeg" if _is_motion_jpeg(head, path) else None
            self._open()
            self.length = length_of(self._container, self._stream, self.whole)
            if self.length.moved:
                self.rewind()
        except BaseException:
            self._file.close()
            raise

    @property
    def container(self) -> InputContainer:
        """The container of the packets; another one after `rewind`."""
        return self._container

    @property
    def stream(self) -> av.VideoStream:
        """The stream that is decoded; another one after `rewind`."""
        return self._stream

    @property
    def has_stamps(self) -> bool:
        """True if the file has time stamps."""
        return self._container.format.name not in WITHOUT_STAMPS

    @property
    def size(self) -> int:
        """Bytes of the file as it is now; it may have lost its name meanwhile."""
        return os.fstat(self._file.fileno()).st_size

    def rewind(self) -> None:
        """Stand at the start again, as when the file was opened, whatever its container can. SourceError."""
        self._release()
        self._file.seek(0)
        self._open()

    def seek(self, pts: int) -> bool:
        """Stand before a key frame that comes before a stamp, in units of the stream's time base.

        That is what the container is asked for; it may stand anywhere. False: its format cannot do it.
        """
        if self._container.format.name in _PATCHWORK or not self.has_stamps:
            return False
        try:
            self._container.seek(pts, stream=self._stream)
        except (av.FFmpegError, OSError):
            return False
        return True

    def close(self) -> None:
        """Close the file and end the decoder's threads; more than once does no harm."""
        if not self._file.closed:
            self._release()
            self._file.close()

    def _release(self) -> None:
        """Release the decoder; its threads end and its pictures are freed with the last reference.

        PyAV has no call for that, and closing the container leaves the decoder as it is. Whoever holds this
        object, or is a part of a circle that holds it, would keep all of that alive.
        """
        self._container.close()
        del self._container, self._stream

    def _head(self) -> bytes:
        """The file's first bytes."""
        try:
            head = self._file.read(_HEAD)
            if head.startswith(_JPEG):
                head += self._file.read(_LARGEST_JPEG)
            self._file.seek(0)
        except OSError as error:
            raise SourceError(f"{self.path}: cannot be read: {reason(error)}") from error
        return head

    def _open(self) -> None:
        self._container = _open_container(self._file, self.path, self._format)
        try:
            self._stream = choose_stream(self._container, str(self.path))
        except BaseException:
            self._container.close()
            raise
        self._stream.codec_context.thread_type = "AUTO"
        self._stream.codec_context.thread_count = self._threads


def frames_have_times(path: Path) -> bool:
    """Return True if a video file has time stamps. Raises SourceError when it is no video."""
    file = VideoFile(path, threads=1)
    try:
        return file.has_stamps
    finally:
        file.close()


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


def _is_motion_jpeg(head: bytes, path: Path) -> bool:
    """Return True if a file is one JPEG behind another, which FFmpeg by itself takes for a picture."""
    return head.startswith(_JPEG) and (_NEXT_JPEG in head or path.suffix.lower() in MOTION_JPEG_SUFFIXES)


def _open_container(file: FileIO, path: Path, format_name: str | None) -> InputContainer:
    try:
        return av.open(
            file,
            "r",
            format=format_name,
            options=limits(CONTAINERS, protocols=()),
            buffer_size=_BUFFER,
            metadata_errors="replace",
        )
    except (av.FFmpegError, OSError) as error:
        raise SourceError(f"{path}: {_refusal(path, error)}") from error


def _refusal(path: Path, error: Exception) -> str:
    """Return the reason why a file that exists was not taken for a video."""
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


def segment_end(head: bytes) -> int | None:
    """Return the end of the segment of a file with these first bytes; None if it is not given.

    RFC 8794, sections 4 to 6; a file that was written live has a segment of unknown size.
    """
    if not head.startswith(_EBML):
        return None
    header = _size(head, len(_EBML))
    if header is None:
        return None
    begin = header[0] + header[1]
    if head[begin : begin + len(_SEGMENT)] != _SEGMENT:
        return None
    segment = _size(head, begin + len(_SEGMENT))
    return None if segment is None else segment[0] + segment[1]


def _size(data: bytes, at: int) -> tuple[int, int] | None:
    """The place behind a size of variable length, and the size; None where it is unknown or not there."""
    length = 9 - data[at].bit_length() if at < len(data) else 9
    if length > 8 or at + length > len(data):
        return None
    bits = 7 * length
    value = int.from_bytes(data[at : at + length]) & (1 << bits) - 1
    return None if value == (1 << bits) - 1 else (at + length, value)
