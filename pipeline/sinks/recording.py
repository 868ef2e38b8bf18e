"""One video on its way into a file: the encoder, the container, and what is copied along."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from io import BufferedWriter
from pathlib import Path

import av

from pipeline.frame import Image
from pipeline.sinks import matroska
from pipeline.sinks.encoder import EncoderSettings, OutputStamps, PictureFormat, VideoEncoder
from pipeline.sinks.formats import VideoContainer
from pipeline.sinks.stream_copy import CopiedStream, StreamCopier, goes_on

_BUFFER = 256 * 1024  # bytes that are written at once
_FRAGMENT = 2_000_000  # microseconds of video that are lost when the power goes
# units in a second: mp4 counts the steps between frames in 31 bits, which is half an hour then
_FINEST = 1_000_000
# audio may begin a little before 0; by default everything else would be moved by as much
_MATROSKA = {"avoid_negative_ts": "disabled"}


class VideoRecording:
    """Frames of one size go in, one after another; audio and subtitles follow in step.

    file:      where it goes, with nothing in its buffer; closed by the caller
    time_base: seconds a unit of the frames' time stamps, which the container takes where it can
    copier:    what else is copied, or None; closed by the caller

    Raises what `VideoEncoder` raises. Every method may raise av.error.FFmpegError and OSError; after that
    only `abandon` makes sense.
    """

    def __init__(
        self,
        file: BufferedWriter,
        container: VideoContainer,
        settings: EncoderSettings,
        picture: PictureFormat,
        rate: Fraction,
        time_base: Fraction,
        copier: StreamCopier | None,
    ) -> None:
        if time_base.denominator > _FINEST:
            time_base = Fraction(1, _FINEST)
        options = _exact_options(time_base) if container.exact else _MATROSKA
        target = _Unbuffered(file)
        self._output = av.open(target, "w", container.format, container_options=options, buffer_size=_BUFFER)
        self._encoder = VideoEncoder(self._output, settings, picture, rate)
        self._copier = copier
        if copier is not None:
            self._output.metadata.update(copier.metadata)
            copier.add_streams(self._output)
            copier.name_video(self._encoder.stream, container.format)
        self._path = Path(file.name)
        self._format = container.format
        self._aspect = picture.aspect
        if self._patches_aspect:
            matroska.keep_room(self._encoder.stream)
        self._stamps = self._encoder.open(time_base)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels of what is stored."""
        return self._encoder.size

    @property
    def stamps(self) -> OutputStamps:
        """The time stamps that the frames were given."""
        return self._stamps

    @property
    def copied(self) -> tuple[CopiedStream, ...]:
        """The streams that are copied along."""
        return self._copier.copied if self._copier else ()

    def write(self, picture: Image, time: Fraction) -> None:
        """Encode one picture, [H, W, 3] uint8 BGR, shown from `time` on, in seconds."""
        self._encoder.write(picture, time)
        if self._copier:
            self._copier.copy_until(self._output, time)

    def finish(self, complete: bool, own: Fraction | None = None, source_end: Fraction | None = None) -> None:
        """Write what is still held, and the container's end.

        What is copied ends with the last frame where the run ended early, or the source's video goes on.

        own:        how long the last frame is shown by itself, in seconds; None for as long as the one before
        source_end: when the source's video ends, in seconds, which counts where it does not go on
        """
        last = self._stamps.ticks[-1] * self._stamps.unit
        if own is not None:
            self._stamps.end_at(last + own)
        cut = not complete
        if self._copier and not cut:
            cut = goes_on(self._copier.path, self._stamps.end() + self._copier.origin)
        if source_end is not None and not cut:
            self._stamps.end_at(source_end)
        self._encoder.flush()
        if self._copier:
            end = self._stamps.end()
            self._copier.finish(self._output, end if cut else None)
            self._copier.add_chapters(self._output, end if cut else None)
        self._close()

    def abandon(self) -> None:
        """End the container as far as it still goes. Never raises."""
        with contextlib.suppress(av.error.FFmpegError, OSError):
            self._close()

    @property
    def _patches_aspect(self) -> bool:
        return self._aspect != 1 and self._format in matroska.FORMATS

    def _close(self) -> None:
        self._output.close()
        if self._patches_aspect:
            matroska.tell_aspect(self._path, self.size, self._aspect, is_webm=self._format == "webm")


def _exact_options(time_base: Fraction) -> dict[str, str]:
    """Return muxer options of mp4 and mov: an exact start time, and a file that survives an unclean end."""
    return {
        "movflags": "hybrid_fragmented+delay_moov",
        "frag_duration": str(_FRAGMENT),
        "movie_timescale": str(movie_timescale(time_base)),
    }


def movie_timescale(time_base: Fraction) -> int:
    """Units in a second of an mp4 or mov as a whole that begins as exactly as its frames are stamped."""
    scale = time_base.denominator
    while scale < 10_000:  # as the muxer does for the track itself
        scale *= 2
    return scale


class _Unbuffered:
    """Writes at once and all of it: a buffer of Python's would fail within `seek`, where nobody listens."""

    def __init__(self, file: BufferedWriter) -> None:
        self._raw = file.raw
        self.name = str(file.name)
        self.seek = self._raw.seek
        self.tell = self._raw.tell

    def write(self, data: bytes) -> int:
        left = memoryview(data)
        while left:
            left = left[self._raw.write(left) or 0 :]
        return len(data)
