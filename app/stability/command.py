"""`stability`: how still masks are from frame to frame, measured under one or several settings."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from app.cli import EXIT_FAILED, EXIT_OK
from app.options import add_detection_arguments, add_keyframe_arguments, record, refuse_early
from app.stability.options import HTML, JSON, StabilityOptions
from app.values import at_least_one, zero_or_more
from model.errors import ConfigError, SinkError
from pipeline.settings import DetectionSettings
from pipeline.tracking.options import STABILISE_KINDS, FollowOptions

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
    add_detection_arguments(parser)
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
    from app.stability.inputs import gather

    options = _options(args)
    _check_output(options.output, options.overwrite)
    _refuse_odd_mixtures(options)
    gathered = gather(options.inputs, options.masks, options.max_frames)
    if options.jitter is not None and (bare := [v.name for v in gathered.videos if v.truth is None]):
        raise ConfigError(f"--jitter moves known masks, and {bare[0]} has none; name them with --masks")
    if options.jitter is None:
        for weights in options.all_weights:
            refuse_early(replace(options.detection, weights=weights))
    if not gathered.videos:
        _tell(gathered.failures)
        return EXIT_FAILED
    _make_folder(options.output)

    from app.stability.report import publish
    from app.stability.run import measure_all

    started = time.perf_counter()
    measured = measure_all(gathered.videos, options)
    failures = [*gathered.failures, *measured.failures]
    if measured.runs:
        publish(measured.runs, failures, options.output)
    _tell(failures)
    if measured.interrupted:
        raise KeyboardInterrupt
    if measured.runs:
        seconds = time.perf_counter() - started
        print(f"\n{len(measured.runs)} measured in {seconds:.1f} s -> {options.output / HTML}")
    failed = failures or any(run.summary.failed is not None for run in measured.runs)
    return EXIT_FAILED if failed else EXIT_OK


def _options(args: argparse.Namespace) -> StabilityOptions:
    detection = record(DetectionSettings, args, weights=None, stabilise=STABILISE_KINDS[0])
    weights = tuple(dict.fromkeys(args.weights)) or (None,)
    strengths = _strengths(args.stabilise)
    return record(StabilityOptions, args, detection=detection, all_weights=weights, all_strengths=strengths)


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
    add_keyframe_arguments(group)
    group.add_argument(
        "--worst",
        type=zero_or_more,
        default=WORST,
        metavar="N",
        help="pictures of the N worst frames of each (default: %(default)s)",
    )


def _strengths(listed: Sequence[str]) -> tuple[str, ...]:
    """Return the strengths that were named, each once. Raises ConfigError on one that is none."""
    names = tuple(dict.fromkeys(name.strip() for text in listed for name in text.split(",")))
    for name in names:
        FollowOptions(stabilise=name).check()
    return names or STABILISE_KINDS[:1]


def _refuse_odd_mixtures(options: StabilityOptions) -> None:
    if options.jitter is not None and (given := _asks_of_a_network(options)):
        raise ConfigError(f"--jitter measures no network; leave {', '.join(given)} out")
    if options.masks is not None and not options.masks.is_dir():
        raise ConfigError(f"--masks {options.masks}: no such folder; expected one with a PNG for each frame")


def _asks_of_a_network(options: StabilityOptions) -> list[str]:
    """Return the flags that were given and that only a network heeds."""
    flags = {"max_detections": "top-k", "image_size": "image-size"}
    given, default = options.detection, DetectionSettings()
    names = ("device", "engine", "precision", "image_size", "max_detections", "nms", "classes")
    found = [flags.get(name, name) for name in names if getattr(given, name) != getattr(default, name)]
    return [f"--{flag}" for flag in ([] if options.all_weights == (None,) else ["weights"]) + found]


def _check_output(folder: Path, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file, expected a folder")
    existing = [folder / name for name in (HTML, JSON) if (folder / name).exists()]
    if existing and not overwrite:
        raise ConfigError(f"the report {existing[0]} exists; use --overwrite, or name another folder")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{folder}: cannot be made a folder: {error.strerror or error}") from error


def _tell(failures: Sequence[str]) -> None:
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
