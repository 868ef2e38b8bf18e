"""Video files."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor
from pathlib import Path
from time import monotonic

import av

from model.errors import SourceError
from pipeline.frame import Frame
from pipeline.sources.base import SourceInfo
from pipeline.sources.decoding import FrameMaker, decoded
from pipeline.sources.ffmpeg import beginning, nominal_rate, reason
from pipeline.sources.picture.cropping import crop_of
from pipeline.sources.picture.dolby_vision import refuse_incompatible
from pipeline.sources.timing.clock import Clock, clock_of
from pipeline.sources.timing.extent import Extent
from pipeline.sources.timing.order import order_of
from pipeline.sources.timing.stamps import USUAL_RATE
from pipeline.sources.video_file import VideoFile
from pipeline.sources.warning_log import WarningLog

_STEPS_BACK = (Fraction(1, 10), Fraction(1), Fraction(5), Fraction(30))  # seconds

_COUNTED = "its frames have no times; taken for {:.6g} a second (--frame-rate says otherwise)"

_Stamped = tuple[int, av.VideoFrame]


@dataclass(frozen=True)
class _Skipped:
    """The frames passed on the way to a stamp.

    kept:   the picture that is shown at it and the one after it, or whichever of them there is
    passed: how many pictures came up to it
    first:  the stamp of the first picture of all; None when there was none
    """

    kept: list[_Stamped]
    passed: int
    first: int | None


def open_video(path: Path, *, threads: int = 0, frame_rate: Fraction | None = None) -> VideoSource:
    """A video file, opened up to its first frame.

    threads:    that decode; 0 for as many as there are processors
    frame_rate: frames a second of a bare stream (`.h264`, `.mjpeg`, …), whose frames have no times; None for
                what the codec says, or 25. Of no effect on any other file

    Raises SourceError when there is no such file, when it is no video, or when nothing of it can be decoded.
    """
    file = VideoFile(path, threads)
    try:
        return VideoSource(file, frame_rate)
    except BaseException:
        file.close()
        raise


class VideoSource:
    """The frames of a video file with their exact stamps, as `Seekable` has it."""

    def __init__(self, file: VideoFile, frame_rate: Fraction | None = None) -> None:
        """file: stands at its start, and is closed by `close`. frame_rate: where its frames have no times.

        Raises SourceError when nothing can be decoded, or the colours cannot.
        """
        self._file = file
        self._interrupted = threading.Event()
        self._log = WarningLog()
        rate = nominal_rate(file.stream)
        if not file.has_stamps:
            rate = frame_rate or rate or USUAL_RATE
            if frame_rate is None:
                self._log.add(_COUNTED.format(float(rate)))
        refuse_incompatible(file.path, file.stream)
        counted, crop = None if file.has_stamps else rate, crop_of(file.path, file.stream)
        self._maker = FrameMaker(file.stream, self._log, counted=counted, crop=crop)
        self._order = order_of(file.container.format.name)
        self._clock: Clock | None = None
        self._stamps_stand_alone = True
        self._frames = self._made(self._pictures())
        self._first = next(self._frames, None)
        if self._first is None:
            why = "; ".join(self.warnings) or "it holds no frames"
            raise SourceError(f"{file.path}: nothing of the video can be decoded: {why}")
        self._start = self._first.pts
        self._info = _describe(file, self._first, self._maker, rate)

    @property
    def info(self) -> SourceInfo:
        """Facts from the file's header, and the size of the first picture."""
        return self._info

    @property
    def warnings(self) -> tuple[str, ...]:
        """Problems so far, each kind once."""
        return self._log.messages

    def read(self) -> Frame | None:
        """The next frame; None at the end, where the file breaks off, once interrupted and once closed."""
        if self._interrupted.is_set():
            return None
        first, self._first = self._first, None
        return replace(first, captured_at=monotonic()) if first else next(self._frames, None)

    def seek(self, time: Fraction) -> None:
        """Seek: the next `read` decodes up to the frame that is shown at that time and returns it.

        The decoding begins at a key frame well before it, or at the file's start where stamps or container
        leave a doubt, so that the pictures and stamps are those of a reading from the start.
        """
        self._first = None
        self._frames.close()
        self._frames = self._shown_from(floor(time / self._maker.time_base))

    def interrupt(self) -> None:
        """Make `read` return None; may be called from any thread."""
        self._interrupted.set()

    def close(self) -> None:
        """Close the file and end the decoder's threads."""
        self._interrupted.set()
        self._first = None
        self._frames.close()
        self._file.close()

    def _made(self, pictures: Iterator[av.VideoFrame]) -> Generator[Frame, None, None]:
        for picture in pictures:
            frame = self._maker.make(picture)
            if frame is not None:
                yield frame

    def _pictures(self, from_key_frame: bool = False) -> Iterator[av.VideoFrame]:
        """The pictures from where the file stands up to its end."""
        container, stream = self._file.container, self._file.stream
        extent = Extent(container, stream, self._file.size, self._file.whole)
        try:
            self._clock = clock_of(container, stream)
            pictures = decoded(
                container,
                stream,
                self._log,
                extent.watch,
                from_key_frame,
                self._order,
                self._clock,
                self._maker.shape,
            )
            for picture in pictures:
                if self._interrupted.is_set():
                    return
                yield picture
        except (av.FFmpegError, OSError) as error:
            self._log.add(f"reading stopped before the end: {reason(error)}")
        if shortfall := extent.shortfall():
            self._log.add(shortfall)

    def _shown_from(self, pts: int) -> Generator[Frame, None, None]:
        """The frames from the one that is shown at a stamp on."""
        pictures, reached = self._reach(pts)
        for stamp, picture in reached:
            frame = self._maker.finish(picture, stamp)
            if frame is not None:
                yield frame
        yield from self._made(pictures)

    def _reach(self, pts: int) -> tuple[Iterator[av.VideoFrame], list[_Stamped]]:
        """Decode up to the picture that is shown at a stamp; what is still to come, and what came already."""
        for seconds in _STEPS_BACK:
            if not self._can_seek_to(pts):
                break
            if self._file.seek(pts - round(seconds / self._maker.time_base)):
                pictures = self._pictures(from_key_frame=True)
                skipped = self._skip(pictures, pts)
                # the first picture after a key frame is not trusted: made whole of two fields it would need
                # the one before, and a decoder that lacks an earlier key frame may leave pictures out
                if self._can_seek_to(pts) and (skipped.passed > 1 or skipped.first == self._start):
                    return pictures, skipped.kept
        self._file.rewind()
        pictures = self._pictures()
        return pictures, self._skip(pictures, pts).kept

    def _can_seek_to(self, pts: int) -> bool:
        """Return True if decoding can begin elsewhere than at the start, as far as is known."""
        joined = self._clock is not None and self._clock.joints > 0
        self._stamps_stand_alone = self._stamps_stand_alone and self._maker.stands_alone and not joined
        return pts > self._start and self._stamps_stand_alone

    def _skip(self, pictures: Iterator[av.VideoFrame], pts: int) -> _Skipped:
        """Take pictures until the one is there that is shown at a stamp, and the one after it."""
        self._maker.restart()
        kept: list[_Stamped] = []
        passed, first = 0, None
        for picture in pictures:
            stamp = self._maker.stamp(picture)
            first = stamp if first is None else first
            if stamp > pts:
                return _Skipped([*kept, (stamp, picture)], passed, first)
            kept = [(stamp, picture)]
            passed += 1
        return _Skipped(kept, passed, first)


def _describe(file: VideoFile, first: Frame, maker: FrameMaker, rate: Fraction | None) -> SourceInfo:
    height, width = first.size
    duration = file.length.duration
    estimate = round(rate * duration) if rate and duration else None
    return SourceInfo(
        name=str(file.path),
        live=False,
        width=width,
        height=height,
        frame_rate=rate,
        frame_count=file.stream.frames or estimate,
        duration=duration,
        path=file.path,
        start=beginning(file.container, file.stream),
        end=file.length.end,
        pixel_aspect=maker.pixel_aspect,
        colours=maker.colours,
    )
