"""Open what a user typed as a watched source: played, or reconnected until it is closed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from pipeline.sources import SourceOptions, is_camera, which_camera
from pipeline.sources.addresses import redacted
from pipeline.sources.base import Source, SourceInfo

if TYPE_CHECKING:
    from pipeline.live.playing.playback import Playback


class OpenSource(Protocol):
    """`pipeline.sources.open_source`, or what stands for it."""

    def __call__(
        self, text: str, *, options: SourceOptions | None, interrupted: threading.Event | None
    ) -> Source:
        """Open a source; see `pipeline.sources.open_source`."""


@dataclass(frozen=True)
class Watched:
    """A source that is ready to be watched.

    source:   what a run reads
    info:     of what was opened, which a played source tells otherwise
    playback: controls it; None where frames come by themselves
    """

    source: Source
    info: SourceInfo
    playback: Playback | None


@dataclass(frozen=True, repr=False)
class Opener:
    """Opens one source. It holds an address with its password, so that it has no repr that tells it.

    text: what to open, as a user typed it
    """

    text: str
    options: SourceOptions | None
    open_source: OpenSource

    @property
    def name(self) -> str:
        """Name for display; never with a password."""
        return f"Camera {which_camera(self.text)}".rstrip() if self.is_camera else redacted(self.text)

    @property
    def is_camera(self) -> bool:
        """True if it is a camera of this machine."""
        return is_camera(self.text)

    def watch(
        self, interrupted: threading.Event, on_lost: Callable[[str], None], on_back: Callable[[], None]
    ) -> Watched:
        """Open it, in the thread that reads. `interrupted` ends that, and stands for `interrupt` later on.

        A video plays, photographs wait at the first one.

        on_lost: gets the reason when a camera or stream is gone; on_back: is called when it is there again

        Raises what `open_source` raises.
        """
        first = self.open(interrupted)
        info = first.info
        try:
            if info.live:
                from pipeline.live.playing.reconnecting import ReconnectingSource

                return Watched(ReconnectingSource(self.open, first, on_lost, on_back), info, None)
            from pipeline.live.playing.playback import Playback
            from pipeline.live.playing.source import PlayedSource

            playback = Playback()
            if info.stills:  # at their frame rate they would be over before anybody has seen one
                playback.pause()
            return Watched(PlayedSource(first, playback), info, playback)
        except BaseException:
            first.close()
            raise

    def open(self, interrupted: threading.Event) -> Source:
        """The bare source, which tells at once when it is lost, and shows images of any size.

        Raises what `open_source` raises.
        """
        options = replace(self.options or SourceOptions(), reconnect=False, letterbox=True)
        return self.open_source(self.text, options=options, interrupted=interrupted)
