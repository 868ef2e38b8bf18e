"""Playing a file: paced by its time stamps, and controlled from any thread."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from time import monotonic

from pipeline.frame import Frame
from pipeline.live.playing.playback import Playback, PlaybackAction, PlaybackCommand
from pipeline.sources.base import Seekable, Source, SourceInfo


class PlayedSource:
    """The frames of a source that can wait, given when they are due, as `Source` has it.

    It tells that it is live, for the newest frame counts. Frames are counted upward for ever, whatever is
    played; their time stamps are the file's own, and go back where the playing does. It has no end but
    `interrupt`. After a frame that is late, for its decoding took long, the later ones keep their distances.
    """

    def __init__(self, source: Source, control: Playback) -> None:
        """source: ready to be read, closed by `close`. control: of this source alone."""
        self._source = source
        self._seekable = source if isinstance(source, Seekable) else None
        self._control = control
        self._info = replace(source.info, live=True)
        self._count = 0
        self._present: Frame | None = None
        self._upcoming: Frame | None = None
        control.attach(source.info, seekable=self._seekable is not None)

    @property
    def info(self) -> SourceInfo:
        """The source's own info, marked as live."""
        return self._info

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings of the source."""
        return self._source.warnings

    def read(self) -> Frame | None:
        """The next frame once it is due or asked for; None only once interrupted. Raises SourceError."""
        while (command := self._control.command(self._upcoming.time if self._upcoming else None)) is not None:
            frame = self._execute(command)
            if frame is not None:
                index, self._count = self._count, self._count + 1
                return replace(frame, index=index, captured_at=monotonic())
        return None

    def interrupt(self) -> None:
        """Make `read` return None at once; may be called from any thread."""
        self._control.shut()
        self._source.interrupt()

    def close(self) -> None:
        """Release everything."""
        self._control.shut()
        self._present = self._upcoming = None
        self._source.close()

    def _execute(self, command: PlaybackCommand) -> Frame | None:
        """The frame to give, if there is one now."""
        match command.action:
            case PlaybackAction.READ:
                self._upcoming = self._next()
                return None
            case PlaybackAction.GIVE:
                return self._take()
            case PlaybackAction.AGAIN:
                return self._present
            case PlaybackAction.BACK:
                assert self._present is not None, "the first frame comes first"
                # shown one unit before the present one, whatever their distance
                return self._take_at(self._present.time - self._present.time_base)
            case PlaybackAction.SEEK:
                return self._take_at(command.time)

    def _take_at(self, time: Fraction) -> Frame | None:
        self._seek(time)
        return self._take()

    def _take(self) -> Frame | None:
        """The frame after the present one, which it becomes."""
        frame, self._upcoming = self._upcoming or self._next(), None
        if frame is not None:
            self._present = frame
            self._control.given(frame.time)
        return frame

    def _next(self) -> Frame | None:
        frame = self._source.read()
        if frame is None and (start := self._control.ended()) is not None:
            self._seek(start)
        return frame

    def _seek(self, time: Fraction) -> None:
        assert self._seekable is not None, "seeking needs a seekable source"
        self._upcoming = None
        self._seekable.seek(time)
