"""The protocol of sources of frames."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol, runtime_checkable

from pipeline.frame import Frame
from pipeline.sources.picture.colours import ColourTags


@dataclass(frozen=True)
class SourceInfo:
    """Facts about an open source. Counts, rates and durations are hints that may be wrong.

    name:        what to call it in messages, titles and json: a path or an address, never with a password
    live:        True where frames come by themselves and cannot wait (camera, network stream)
    width:       of the upright picture in pixels, as for `height`; the first frame's
    frame_rate:  frames a second, nominal; None when unknown
    frame_count: None when unknown
    duration:    seconds; None when unknown
    start:       when the earliest of its streams begins, in seconds of the source's own stamps; 0 where those
                 of its first frame are all that is known
    end:         when its last picture ends, in seconds of the source's own stamps; None when unknown
    path:        the media file, from which a video sink copies what is not video; None for anything else
    stills:      True where each picture stands for itself, so that they are turned over by hand
    pixel_aspect: width of a pixel to its height, of the upright picture
    colours:     what the BGR of the pictures means; None when nothing says so
    """

    name: str
    live: bool
    width: int
    height: int
    frame_rate: Fraction | None = None
    frame_count: int | None = None
    duration: Fraction | None = None
    start: Fraction = Fraction(0)
    end: Fraction | None = None
    path: Path | None = None
    stills: bool = False
    pixel_aspect: Fraction = Fraction(1)
    colours: ColourTags | None = None


class Source(Protocol):
    """Frames in their order. Opened, read and closed by one thread."""

    @property
    def info(self) -> SourceInfo:
        """Facts about the source."""

    def read(self) -> Frame | None:
        """The next frame; None at the end, or once the source was interrupted.

        Raises SourceError when the source breaks. A file that breaks off in the middle gives the frames
        that are there, then None, and says so in `warnings`.
        """

    def interrupt(self) -> None:
        """Make a waiting `read` return None within a second; may be called from any thread at any time."""

    def close(self) -> None:
        """Release everything; more than once does no harm. Called by the thread that reads."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Problems that did not end the source, each once: damaged packets, reconnections."""


@runtime_checkable
class Severable(Source, Protocol):
    """A source that another machine may end early."""

    @property
    def cut(self) -> bool:
        """True if it has ended before its proper end: fetched again, it may be whole."""


def is_cut(source: Source) -> bool:
    """Return True if a source ended early, and may be whole when it is read again."""
    return isinstance(source, Severable) and source.cut


@runtime_checkable
class Seekable(Source, Protocol):
    """A source in which a place can be chosen."""

    def seek(self, time: Fraction) -> None:
        """Seek exactly: the next `read` returns the frame that is shown at that time.

        time: seconds in the source's own time stamps, as `Frame.time` has them. Before the first frame it
              stands for the first one, after the last one for the last.

        Called by the thread that reads; also at the end. `index` goes on counting, stamps need not grow. What
        is read again is counted again in `warnings`.
        """
