"""The protocol of sinks of results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.frame import Result
from pipeline.sources.base import SourceInfo


@dataclass(frozen=True)
class SinkReport:
    """The output of a sink, checked by reading it back.

    path:     the file or folder; None where there is none
    summary:  one line, such as "377 frames, 0.000 to 30.080 s, audio kept"
    problems: what is not as it should be; empty when all is well
    whole:    False where the run ended early and `path` is a playable part, not the output that was asked for
    """

    path: Path | None
    summary: str
    problems: tuple[str, ...] = ()
    whole: bool = True


class Sink(Protocol):
    """Takes results in their order. Opened, written to and closed by one thread."""

    def open(self, info: SourceInfo) -> None:
        """Get ready. Raises SinkError when it cannot be: a folder that is not there, a codec that is not."""

    def write(self, result: Result) -> None:
        """Take one result. Raises SinkError when it cannot be kept (a full disk)."""

    def close(self, complete: bool) -> SinkReport:
        """Finish, check and tell; called once after `open`, also after `write` has raised.

        complete: every frame of the source arrived. Where it is False a file becomes playable, but is left
        under its temporary name, so that it never passes for the whole. Raises SinkError.
        """
