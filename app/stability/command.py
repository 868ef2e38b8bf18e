"""`stability`: how still masks are from frame to frame, measured under one or several settings."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.options import add_predictor_arguments, at_least_one, refuse_early, zero_or_more
from model.errors import ConfigError
from pipeline.tracking.options import STABILISE_KINDS, FollowOptions

if TYPE_CHECKING:
    from app.stability.run import Setting

WORST = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.conflict_handler = "resolve"  # several --weights are welcome here
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="videos; folders of frames, or of frames/ and masks/ as DAVIS has it; patterns such as "
        "'f/*.jpg'; with --max-frames also a camera or a stream",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="OUT",
        help="folder for report.html and report.json, made when absent",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a report that is there")
    parser.add_argument(
        "--max-frames", type=at_least_one, metavar="N", help="measure only the first N frames"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    add_predictor_arguments(parser)
    _add_comparison_arguments(parser)
    truth = parser.add_argument_group("ground truth")
    truth.add_argument(
        "--masks",
        type=Path,
        metavar="FOLDER",
        help="the known masks of the input, label images NAME.png for frames NAME, for a video file as many "
        "PNGs as it has frames; 0 is background, every other value an object (default: masks/ "
        "beside frames/)",
    )
    truth.add_argument(
        "--jitter",
        type=zero_or_more,
        metavar="SEED",
        help="measure no network, but the ground truth itself, made unsteady by chance with this seed",
    )


def run(args: argparse.Namespace) -> int:
    """Measure every input under every setting, and write the report.

    1 when any of them failed, also where nothing was found: that is no stability.
    """
    from app.cli import EXIT_FAILED, EXIT_OK

    strengths = _strengths(args.stabilise)
    _check_output(args.output, args.overwrite)
    _refuse_odd_mixtures(args)

    from app.stability.inputs import gather

    gathered = gather(args.inputs, args.masks, args.max_frames)
    if args.jitter is not None and (bare := [v.name for v in gathered.videos if v.truth is None]):
        raise ConfigError(f"--jitter moves known masks, and {bare[0]} has none; name them with --masks")
    weights = _weights(args)
    if not gathered.videos:
        _tell(gathered.failures)
        return EXIT_FAILED
    _make_folder(args.output)

    from app.stability.report import publish
    from app.stability.run import measure_all, settings

    started = time.perf_counter()
    chosen: Sequence[Setting] = settings(weights, strengths, args.jitter)
    measured = measure_all(gathered.videos, chosen, args)
    failures = [*gathered.failures, *measured.failures]
    if measured.runs:
        publish(measured.runs, failures, args)
    _tell(failures)
    if measured.interrupted:
        raise KeyboardInterrupt
    if measured.runs:
        seconds = time.perf_counter() - started
        print(f"\n{len(measured.runs)} measured in {seconds:.1f} s -> {args.output / 'report.html'}")
    failed = failures or any(run.summary.failed is not None for run in measured.runs)
    return EXIT_FAILED if failed else EXIT_OK


def _add_comparison_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is compared (every weights with every strength)")
    group.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="FILE",
        help="weights: a file, or a name that `models list` shows; may be given several times "
        "(default: the bundled ones)",
    )
    group.add_argument(
        "--stabilise",
        action="append",
        default=[],
        metavar="A,B",
        help=f"how much masks are held still, any of {', '.join(STABILISE_KINDS)}; may be given several "
        f"times (default: {STABILISE_KINDS[0]})",
    )
    group.add_argument(
        "--worst",
        type=zero_or_more,
        default=WORST,
        metavar="N",
        help="pictures of the N worst frames of each (default: %(default)s)",
    )


def _strengths(listed: Sequence[str]) -> tuple[str, ...]:
    """The strengths that were named, each once. Raises ConfigError on one that is none."""
    names = tuple(dict.fromkeys(name.strip() for text in listed for name in text.split(",")))
    for name in names:
        FollowOptions(stabilise=name).check()
    return names or STABILISE_KINDS[:1]


def _weights(args: argparse.Namespace) -> tuple[str | None, ...]:
    """The weights that were named, each once, None for the bundled ones; all of them are there."""
    named: tuple[str | None, ...] = tuple(dict.fromkeys(args.weights)) or (None,)
    if args.jitter is None:
        for weights in named:
            refuse_early(args, weights)
    return named


def _asks_of_a_network(args: argparse.Namespace) -> list[str]:
    """The options that were given and that only a network heeds."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    names = ("weights", "device", "engine", "precision", "image_size", "top_k", "nms", "classes")
    given = (name for name in names if getattr(args, name) != parser.get_default(name))
    return [f"--{name.replace('_', '-')}" for name in given]


def _refuse_odd_mixtures(args: argparse.Namespace) -> None:
    if args.jitter is not None and (given := _asks_of_a_network(args)):
        raise ConfigError(f"--jitter measures no network; leave {', '.join(given)} out")
    if args.masks is not None and not args.masks.is_dir():
        raise ConfigError(f"--masks {args.masks}: no such folder; expected one with a PNG for each frame")


def _check_output(folder: Path, overwrite: bool) -> None:
    from app.stability.report import FILES

    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file, expected a folder")
    existing = [folder / name for name in FILES if (folder / name).exists()]
    if existing and not overwrite:
        raise ConfigError(f"the report {existing[0]} exists; use --overwrite, or name another folder")


def _make_folder(folder: Path) -> None:
    from model.errors import SinkError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{folder}: cannot be made a folder: {error.strerror or error}") from error


def _tell(failures: Sequence[str]) -> None:
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
