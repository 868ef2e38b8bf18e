"""This checkout against another one: speed, memory and start as ratios, and whether both find the same."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from app.benchmarks.against.checkout import Checkout, CommandError, other_checkout
from app.benchmarks.against.detections import count_frames, matched_share, same_lines
from app.benchmarks.against.ratios import CPU, FIRST, FPS, FPS_AFTER_START, PEAK, Quantity, ratio
from app.benchmarks.against.rounds import Clip, Way, take_rounds
from app.benchmarks.clips import write_clip
from app.benchmarks.figures import Figure, Setup, at_least, at_most, missing
from model.project import DEMO, ROOT

LARGE_FRAMES = 300
KEY_FRAMES = "--keyframes"
COMMANDS = (("doctor",), ("models", "list"))
# what an old checkout does by default with scores and tracks differs; what its network finds need not
PLAIN = ("--score-threshold", "0.3", "--no-track")


@dataclass(frozen=True)
class Bench:
    """Two checkouts, a folder to work in, and how many rounds there are."""

    old: Checkout
    new: Checkout
    folder: Path
    rounds: int

    def ways(self, *options: str) -> tuple[Way, Way]:
        """The old and the new checkout with the same options."""
        return Way("old", self.old, options), Way("new", self.new, options)


def run(setup: Setup) -> list[Figure]:
    """Ratios of this checkout, new, to the one of `setup.against`, old, and of its detections."""
    if setup.against is None:
        return [missing("against", "no other checkout; name its folder with --against")]
    if not hasattr(os, "wait4"):
        return [missing("against", "this system does not tell what a process has spent")]
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(
            other_checkout(setup.against), Checkout("this checkout", ROOT), Path(name), setup.rounds
        )
        small = _clip(bench, setup, (768, 432), setup.frames)
        large = _clip(bench, setup, (1920, 1080), min(setup.frames, LARGE_FRAMES))
        return compare(bench, small, large, setup.weights)


def compare(bench: Bench, small: Clip, large: Clip, weights: str | None) -> list[Figure]:
    """Return all figures; `weights` are some that both checkouts read, or None."""
    return [
        *annotating(bench, small, large),
        *starting(bench),
        *same_weights(bench, weights, (small, large)),
        *repeating(bench, small),
        *key_frames(bench, small),
    ]


def _clip(bench: Bench, setup: Setup, size: tuple[int, int], frames: int) -> Clip:
    path = bench.folder / f"{size[0]} x {size[1]}.mp4"
    write_clip(path, setup.clip or DEMO, size, frames)
    return Clip(path, frames)


def annotating(bench: Bench, small: Clip, large: Clip) -> list[Figure]:
    """Ratios with each checkout's defaults."""
    quantities = (
        replace(FPS, least=2.5), FPS_AFTER_START, replace(CPU, most=0.42), replace(PEAK, most=0.35),
        replace(FIRST, most=0.45),
    )  # fmt: skip
    return [
        *_ratios(bench, bench.ways(), small, quantities),
        *_ratios(bench, bench.ways(), large, (replace(PEAK, most=0.45), FPS, CPU)),
    ]


def same_weights(bench: Bench, weights: str | None, clips: Sequence[Clip]) -> list[Figure]:
    """Speed and detections of the same network in both checkouts."""
    if weights is None:
        return [
            missing("the same weights in both", "none are given; name some that both read with --weights")
        ]
    path = Path(weights)
    options = ("--weights", str(path.resolve()) if path.exists() else weights)
    quantities = (replace(FPS, least=1.6), FPS_AFTER_START, CPU, PEAK, FIRST)
    figures = _ratios(bench, bench.ways(*options), clips[0], quantities, f", both with {path.name}")
    for clip in clips:
        name = f"detections that match, {clip.path.stem}, both with {path.name}"
        figures.append(_share(name, bench, bench.ways(*options, *PLAIN), clip, matched_share, 99))
    return figures


def repeating(bench: Bench, clip: Clip) -> list[Figure]:
    """Share of lines that two runs of this checkout write alike, to the last byte."""
    ways = (Way("first", bench.new), Way("second", bench.new))
    return [_share("JSON of two runs: lines that are the same", bench, ways, clip, same_lines, 100)]


def key_frames(bench: Bench, clip: Clip) -> list[Figure]:
    """Speed of this checkout with key frames to that without."""
    fps, title = replace(FPS, least=1.8), f", {KEY_FRAMES} 3 to every frame"
    try:
        known = KEY_FRAMES in bench.new.printed("annotate", "--help")
    except CommandError as error:
        return [missing(f"annotate{title}", str(error))]
    if not known:
        return [missing(f"annotate{title}", f"this checkout has no {KEY_FRAMES}")]
    ways = (Way("every frame", bench.new), Way("key frames", bench.new, (KEY_FRAMES, "3")))
    return _ratios(bench, ways, clip, (fps, CPU), title)


def starting(bench: Bench) -> list[Figure]:
    """Seconds of this checkout's quick commands: the best of the rounds."""
    figures = []
    for command in COMMANDS:
        name = " ".join(command)
        _tell(name)
        try:
            bench.new.run(*command)
            seconds = [bench.new.run(*command).seconds for _ in range(bench.rounds)]
        except CommandError as error:
            figures.append(missing(name, str(error)))
            continue
        note = f"the best of {len(seconds)}, median {statistics.median(seconds):.3g} s"
        figures.append(at_most(name, min(seconds), 0.5, "s", note))
    return figures


def _ratios(
    bench: Bench, ways: tuple[Way, Way], clip: Clip, quantities: Sequence[Quantity], which: str = ""
) -> list[Figure]:
    """Ratios of the second way to the first; none of them is there where a command fails."""
    title = f"annotate, {clip.path.stem}{which}"
    _tell(title)
    try:
        old, new = take_rounds(ways, clip, bench.rounds, bench.folder / "out.mp4")
    except CommandError as error:
        return [missing(f"{title}: {quantity.name}", str(error)) for quantity in quantities]
    names = (ways[0].name, ways[1].name)
    return [ratio(title, quantity, old, new, names) for quantity in quantities]


def _share(
    name: str,
    bench: Bench,
    ways: tuple[Way, Way],
    clip: Clip,
    compare: Callable[[Path, Path], float],
    least: float,
) -> Figure:
    """A percentage that compares the JSON lines of two ways."""
    _tell(name)
    written = []
    try:
        for number, way in enumerate(ways):
            out = bench.folder / f"{number}.jsonl"
            way.annotate(clip, out, "--as", "json", "--json")
            if (frames := count_frames(out)) != clip.frames:
                raise CommandError(f"{way.name} wrote {frames} of {clip.frames} frames")
            written.append(out)
    except CommandError as error:
        return missing(name, str(error))
    return at_least(name, 100 * compare(*written), least, "%", f"{clip.frames} frames")


def _tell(what: str) -> None:
    print(f"measuring {what} ...", file=sys.stderr)
