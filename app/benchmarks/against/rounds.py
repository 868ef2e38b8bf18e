"""Two ways to annotate the same clip, taken in turn, so that a disturbance of the machine meets both."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import av

from app.benchmarks.against.checkout import Checkout, CommandError, Spent

WARM_UP = 50  # frames, after which all that is compiled or cached lies on the disk

Result = TypeVar("Result")


@dataclass(frozen=True)
class Clip:
    """A video of so many frames."""

    path: Path
    frames: int


@dataclass(frozen=True)
class Way:
    """A checkout with options of its command `annotate`, under the name that notes give it."""

    name: str
    checkout: Checkout
    options: tuple[str, ...] = ()

    def annotate(self, clip: Clip, out: Path, *more: str) -> Spent:
        """Annotate a clip to the file `out`; what it spent, or CommandError."""
        options = ("--overwrite", "-q", *self.options, *more)
        return self.checkout.run("annotate", clip.path, "-o", out, *options)


@dataclass(frozen=True)
class Taken:
    """One round of one way: the first frame alone, and the whole clip."""

    frames: int
    first: Spent
    whole: Spent

    @property
    def fps(self) -> float:
        """Frames a second over the command's whole life."""
        return self.frames / self.whole.seconds

    @property
    def fps_after_start(self) -> float | None:
        """Frames a second beyond the first one; None where the clip is too short to tell."""
        seconds = self.whole.seconds - self.first.seconds
        return (self.frames - 1) / seconds if self.frames > 1 and seconds > 0 else None


def take_rounds(ways: Sequence[Way], clip: Clip, rounds: int, out: Path) -> list[list[Taken]]:
    """Return what each way took in each round, after a warm-up of each; CommandError where one fails.

    out: file to write to, again and again
    """
    for way in ways:
        way.annotate(clip, out, "--max-frames", str(WARM_UP))
    return alternately([partial(_take, way, clip, out) for way in ways], rounds)


def alternately(things: Sequence[Callable[[], Result]], rounds: int) -> list[list[Result]]:
    """Call all things in turn, so many rounds, and return what each has returned."""
    taken: list[list[Result]] = [[] for _ in things]
    for number in range(rounds):
        print(f"  round {number + 1} of {rounds}", file=sys.stderr)
        for thing, results in zip(things, taken, strict=True):
            results.append(thing())
    return taken


def _take(way: Way, clip: Clip, out: Path) -> Taken:
    first = way.annotate(clip, out, "--max-frames", "1")
    whole = way.annotate(clip, out)
    with av.open(str(out)) as written:
        frames = written.streams.video[0].frames
    if frames != clip.frames:  # who leaves some out is no faster
        raise CommandError(f"{way.name} wrote {frames} of {clip.frames} frames")
    return Taken(clip.frames, first, whole)
