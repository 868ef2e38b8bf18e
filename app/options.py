"""Command-line arguments that several commands share."""

from __future__ import annotations

import argparse
from typing import Any

from model.config import DEFAULT_THRESHOLD
from model.config_limits import LARGEST_INPUT, SMALLEST_INPUT
from model.engines import ENGINES, PRECISIONS
from model.errors import ConfigError
from model.options import MIN_MASK_REGION, NMS_KINDS
from pipeline.sinks.tracks import TRACK_FORMATS
from pipeline.tracking.options import STABILISE_KINDS, FollowOptions


def add_predictor_arguments(parser: argparse.ArgumentParser) -> None:
    """Which weights, on which device, and what counts as a detection; see `predictor_options`."""
    group = parser.add_argument_group("detection")
    add_network_arguments(group)
    group.add_argument(
        "--score-threshold",
        type=fraction,
        metavar="S",
        help="show detections that score more than S, 0 to 1 (default: the weights' own threshold of each "
        f"class, {DEFAULT_THRESHOLD} where they bring none)",
    )
    group.add_argument(
        "--top-k",
        type=at_least_one,
        default=100,
        metavar="N",
        help="show at most the N best detections of an image (default: %(default)s)",
    )
    group.add_argument(
        "--nms",
        choices=NMS_KINDS,
        default=NMS_KINDS[0],
        help="how duplicates are removed: Fast NMS, Fast NMS across classes, exact NMS, or Soft-NMS, which "
        "lowers their scores (default: %(default)s)",
    )
    group.add_argument(
        "--min-mask-region",
        type=fraction,
        default=MIN_MASK_REGION,
        metavar="SHARE",
        help="drop stray regions of a mask that are smaller than this share of its largest one, 0 to 1; "
        "0 keeps all (default: %(default)s)",
    )
    add_class_argument(group, "look for these classes only (default: all)")


def add_class_argument(group: argparse._ActionsContainer, what: str) -> None:
    """`--classes A,B`, names that the weights must know; `what` is its help."""
    group.add_argument("--classes", type=name_list, metavar="A,B", help=what)


def add_network_arguments(group: argparse._ActionsContainer) -> None:
    """Which weights, and what runs them; see `network_options`."""
    group.add_argument(
        "--weights",
        metavar="FILE",
        help="weights: a file, or a name that `models list` shows (default: the bundled ones)",
    )
    group.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    group.add_argument(
        "--engine",
        choices=("auto", *ENGINES),
        default="auto",
        help="what runs the network (default: %(default)s, the fastest that there is)",
    )
    group.add_argument(
        "--precision",
        choices=("auto", *PRECISIONS),
        default="auto",
        help="what it computes in (default: %(default)s, the fastest that there is)",
    )
    group.add_argument(
        "--image-size",
        type=input_size,
        metavar="PX",
        help=f"side of the network's input, {SMALLEST_INPUT} to {LARGEST_INPUT} (default: the weights' own)",
    )


def predictor_options(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `add_predictor_arguments` as keywords of `model.load_predictor`."""
    return network_options(args) | {
        "score_threshold": args.score_threshold,
        "max_detections": args.top_k,
        "nms": args.nms,
        "classes": args.classes,
        "min_mask_region": args.min_mask_region,
    }


def network_options(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `add_network_arguments` as keywords of `model.load_predictor`."""
    return {key: getattr(args, key) for key in ("weights", "device", "engine", "precision", "image_size")}


def add_tracking_arguments(parser: argparse.ArgumentParser) -> None:
    """How instances are followed through a video, and where their tracks go; see `follow_options`."""
    group = parser.add_argument_group("tracks (of videos, cameras and streams)")
    group.add_argument(
        "--no-track",
        action="store_true",
        help="look at each frame by itself: colours and ids do not stay with an instance. With tracks an "
        "instance stays while it scores at least half the threshold",
    )
    group.add_argument(
        "--stabilise",
        choices=STABILISE_KINDS,
        default=STABILISE_KINDS[0],
        help="keep masks from jittering from frame to frame (default: %(default)s)",
    )
    group.add_argument(
        "--tracks-as",
        type=track_formats,
        default=(),
        metavar="A,B",
        help=f"write the tracks too, beside each output, as any of {', '.join(TRACK_FORMATS)}; mots counts "
        "frames from 1, as MOTSChallenge does, kitti-mots from 0, as KITTI MOTS does",
    )


def follow_options(args: argparse.Namespace) -> FollowOptions | None:
    """What the arguments of `add_tracking_arguments` ask for; None where nobody is to be followed.

    Raises ConfigError on what cannot be done without tracks, or without masks (`--no-masks`).
    """
    without_masks = [name for name in args.tracks_as if TRACK_FORMATS[name].needs_masks and args.no_masks]
    if without_masks:
        raise ConfigError(f"--tracks-as {','.join(without_masks)} holds masks; leave --no-masks out")
    if not args.no_track:
        return FollowOptions(stabilise=args.stabilise)
    if args.stabilise != STABILISE_KINDS[0]:
        raise ConfigError(f"--stabilise {args.stabilise} needs tracks; leave --no-track out")
    without_tracks = [name for name in args.tracks_as if TRACK_FORMATS[name].needs_tracks]
    if without_tracks:
        raise ConfigError(f"--tracks-as {','.join(without_tracks)} holds tracks; leave --no-track out")
    return None


def refuse_early(args: argparse.Namespace, weights: str | None) -> None:
    """Refuse what can be told to be wrong before PyTorch is loaded, which takes seconds.

    args: with those of `add_predictor_arguments`

    Raises ConfigError and CheckpointError.
    """
    from model.checkpoints.catalog import CATALOG, DEFAULT_WEIGHTS, current_name, resolve_weights
    from model.config import preset
    from model.options import DetectOptions

    resolve_weights(weights)
    known = CATALOG.get(current_name(weights or DEFAULT_WEIGHTS))
    if known is not None:  # a file of one's own says itself what it allows
        DetectOptions(args.score_threshold, args.top_k, args.nms).check(preset(known.config))


def fraction(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text!r}")
    return value


def at_least_one(text: str) -> int:
    """A whole number, 1 or more."""
    return _whole_number(text, 1, None)


def zero_or_more(text: str) -> int:
    """A whole number, 0 or more."""
    return _whole_number(text, 0, None)


def input_size(text: str) -> int:
    """A side of the network's input in pixels."""
    return _whole_number(text, SMALLEST_INPUT, LARGEST_INPUT)


def name_list(text: str) -> tuple[str, ...]:
    """Class names with commas between them; a name may hold spaces."""
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError(f"expected class names with commas between them, got {text!r}")
    return names


def track_formats(text: str) -> tuple[str, ...]:
    """Keys of `TRACK_FORMATS` with commas between them, each once."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    if unknown := [name for name in names if name not in TRACK_FORMATS]:
        known = ", ".join(TRACK_FORMATS)
        raise argparse.ArgumentTypeError(
            f"expected any of {known} with commas between them, got {unknown[0]!r}"
        )
    return names


def _whole_number(text: str, low: int, high: int | None) -> int:
    value = int(text) if text.isascii() and text.isdecimal() else low - 1
    if value < low or (high is not None and value > high):
        wanted = f"of {low} or more" if high is None else f"from {low} to {high}"
        raise argparse.ArgumentTypeError(f"expected a whole number {wanted}, got {text!r}")
    return value


def frame_rate(text: str) -> str:
    """A frame rate, as a number or a fraction such as 30000/1001; kept as text."""
    from fractions import Fraction

    try:
        good = 0 < Fraction(text) <= 1000
    except (ValueError, ZeroDivisionError):
        good = False
    if not good:
        raise argparse.ArgumentTypeError(f"expected frames a second, such as 25 or 30000/1001, got {text!r}")
    return text
