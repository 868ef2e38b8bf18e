"""A video file: every annotated frame at its own time, with the audio and subtitles of the source."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av

from model.errors import SinkError
from pipeline.frame import Image, Result
from pipeline.sinks.base import SinkReport
from pipeline.sinks.codecs import check_output, container_of, default_codec
from pipeline.sinks.colour import choose_tags
from pipeline.sinks.encoder import EncoderSettings, PictureFormat, nominal_rate
from pipeline.sinks.mov_language import write_languages
from pipeline.sinks.origin import origin_of, told
from pipeline.sinks.part_file import PartFile
from pipeline.sinks.recording import VideoRecording
from pipeline.sinks.stream_copy import StreamCopier
from pipeline.sinks.video_check import doubts, faults, misshapen, read_facts, remarks
from pipeline.sources.addresses import is_address
from pipeline.sources.base import SourceInfo
from pipeline.sources.ffmpeg import reason

__all__ = ["VideoSink", "check_output"]


class VideoSink:
    """Writes `Result.annotated`, or the bare frame before an overlay, to an mp4, mkv, mov or webm file.

    path:      the suffix chooses the container
    codec:     a key of `formats.CODECS`; None for the container's usual one, H.264 but for webm
    crf:       quality, smaller is better and larger; None for the codec's own, 23 for H.264
    preset:    of x264 and x265
    overwrite: replace a file that exists
    stride:    only every `stride`-th frame of the source comes; lowers the nominal rate

    Audio and subtitles of `SourceInfo.path` are taken over as they are; those of a network stream are not.
    Each frame keeps its exact time stamp, counted from where the source begins (see `origin_of`), and so
    does what is copied; Matroska and WebM count whole milliseconds and take the nearest. Colour tags and the
    shape of pixels are the source's; frames come upright, so no rotation is written. An odd width or height
    is padded by one pixel where the codec needs even ones.

    mp4 and mov are written in fragments that become an ordinary file at the end (FFmpeg's
    `hybrid_fragmented`): what a full disk or a loss of power leaves behind can be played.
    """

    def __init__(
        self,
        path: Path,
        codec: str | None = None,
        crf: int | None = None,
        preset: str = "veryfast",
        overwrite: bool = False,
        stride: int = 1,
    ) -> None:
        self._path = path
        self._settings = EncoderSettings(codec or default_codec(path), crf, preset)
        self._overwrite = overwrite
        self._stride = stride
        self._part: PartFile | None = None
        self._copier: StreamCopier | None = None
        self._recording: VideoRecording | None = None
        self._size: tuple[int, int] | None = None
        self._own_duration: Fraction | None = None
        self._failed = False
        self._notes: list[str] = []

    def open(self, info: SourceInfo) -> None:
        """Make the part file and open the source again for what is copied.

        Raises ConfigError as `check_output` does, SinkError when the file exists or cannot be written.
        """
        check_output(self._path, self._settings.codec, self._settings.quality)
        self._info = info
        self._part = PartFile(self._path, self._overwrite)
        if info.path is not None:
            try:
                self._copier = StreamCopier(info.path)
            except (av.error.FFmpegError, OSError) as error:
                self._notes.append(f"nothing copied from the source: {reason(error)}")
        elif is_address(info.name):
            self._notes.append("without audio, which is not recorded from streams")

    def write(self, result: Result) -> None:
        """Encode one frame and copy what goes with it.

        Raises SinkError when the file cannot be written, the encoder fails, or the size changes.
        """
        assert self._part is not None
        picture = result.frame.image if result.annotated is None else result.annotated
        self._refuse_new_size(picture)
        try:
            if self._recording is None:
                self._recording = self._begin(result, picture)
            self._part.check_there()
            self._recording.write(picture, result.frame.time - self._origin)
            self._own_duration = result.frame.duration if self._stride == 1 else None
        except (av.error.FFmpegError, OSError) as error:
            self._failed = True
            raise self._cannot(error) from error
        except BaseException:
            self._failed = True
            raise

    def close(self, complete: bool) -> SinkReport:
        """Finish the file, read it back, and give it its name if it is whole.

        Raises SinkError when it cannot be finished, unless `write` has failed before.
        """
        try:
            if self._part is None:
                return SinkReport(None, "never opened", whole=False)
            if self._recording is None:
                self._part.discard()
                return SinkReport(None, "no frames, nothing written", whole=False)
            if self._failed:
                return _salvage(self._part, self._recording)
            self._finish(self._part, self._recording, complete)
            return self._checked(self._part, self._recording, complete)
        finally:
            if self._copier:
                self._copier.close()
            self._part = self._copier = self._recording = None  # an encoder holds much memory

    def _begin(self, result: Result, picture: Image) -> VideoRecording:
        """Set up encoder and container: only the first frame tells size and time base."""
        assert self._part is not None
        height, width = picture.shape[:2]
        self._origin = origin_of(self._info, result.frame)
        if self._copier:
            self._copier.origin = self._origin
        recording = VideoRecording(
            self._part.file,
            container_of(self._path),
            self._settings,
            PictureFormat(width, height, choose_tags(self._info.colours, height), self._info.pixel_aspect),
            nominal_rate(self._info.frame_rate and self._info.frame_rate / self._stride),
            result.frame.time_base,
            self._copier,
        )
        self._notes += told(self._info, self._origin)
        if recording.size != (width, height):
            self._notes.append(f"padded to {recording.size[0]} x {recording.size[1]}")
        return recording

    def _refuse_new_size(self, picture: Image) -> None:
        size = (picture.shape[1], picture.shape[0])
        self._size = self._size or size
        if size != self._size:
            before, now = ("{} x {}".format(*s) for s in (self._size, size))
            raise SinkError(f"{self._path}: a frame of {now} does not go into a video of {before} pixels")

    def _finish(self, part: PartFile, recording: VideoRecording, complete: bool) -> None:
        """Write what is still held; what cannot be finished is kept where it can be played."""
        try:
            end = self._info.end
            recording.finish(complete, self._own_duration, None if end is None else end - self._origin)
            part.finish()
            if self._copier and container_of(self._path).format == "mov":
                write_languages(part.part, self._copier.languages)
        except (av.error.FFmpegError, OSError) as error:
            raise SinkError(f"{self._cannot(error)}; {_salvage(part, recording).summary}") from error
        except SinkError as error:
            raise SinkError(f"{error}; {_salvage(part, recording).summary}") from error

    def _checked(self, part: PartFile, recording: VideoRecording, complete: bool) -> SinkReport:
        """Compare the file with what was meant, and publish it when it is whole."""
        facts = read_facts(part.part)
        wrong = faults(facts, recording.stamps, recording.copied)
        if whole := complete and not wrong:
            part.publish()
        summary = [str(facts.span), *remarks(recording.stamps, self._copier), *self._notes]
        problems = (
            *wrong,
            *doubts(recording.stamps, self._copier),
            *misshapen(facts, self._info.pixel_aspect),
        )
        return SinkReport(self._path if whole else part.part, ", ".join(summary), problems, whole)

    def _cannot(self, error: Exception) -> SinkError:
        return SinkError(f"{self._path}: cannot be written: {reason(error)}")


def _salvage(part: PartFile, recording: VideoRecording) -> SinkReport:
    """End a file that could not be written to its end: kept where it can be played. Never raises."""
    recording.abandon()
    left = part.keep()
    if left is not None and (facts := read_facts(left)).ticks:
        return SinkReport(left, f"broken off: {facts.span} can be played in {left.name}", whole=False)
    part.discard()
    return SinkReport(None, "nothing that can be played was left", whole=False)
