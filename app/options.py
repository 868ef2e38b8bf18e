"""Flags that several commands share, and the frozen records that they become."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any, TypeVar

from app.values import at_least_one, fraction, input_size, name_list, track_formats
from model.checkpoints.catalog import (
    CATALOG,
    DEFAULT_PROPOSALS,
    DEFAULT_WEIGHTS,
    current_name,
    resolve_weights,
)
from model.config import DEFAULT_THRESHOLD, preset
from model.config_limits import LARGEST_INPUT, SMALLEST_INPUT
from model.engines import ENGINES, PRECISIONS
from model.options import MIN_MASK_REGION, NMS_KINDS, DetectOptions
from pipeline.settings import DetectionSettings
from pipeline.sinks.tracks import TRACK_FORMATS
from pipeline.tracking.options import STABILISE_KINDS

Record = TypeVar("Record")


@dataclasses.dataclass(frozen=True)
class DataOptions:
    """Labelled images to measure on, see `app.labelled_data`.

    coverage, source: values of these keys of an image's record, one of which it must have; () for any
    limit:            how many images are taken, from the first one on; None for all
    skip_broken:      count an image that cannot be read as one where nothing was found
    """

    data: Path
    images: Path | None = None
    coverage: list[str] = dataclasses.field(default_factory=list)
    source: list[str] = dataclasses.field(default_factory=list)
    limit: int | None = None
    skip_broken: bool = False


def record(kind: type[Record], args: argparse.Namespace, **given: Any) -> Record:
    """Return a dataclass whose fields have the names of parsed arguments.

    given: values that are no argument's; a field that neither names keeps its default
    """
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: getattr(args, name) for name in names if hasattr(args, name)} | given)


def add_detection_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `DetectionSettings`, but for `--stabilise`."""
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
        dest="max_detections",
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
    group.add_argument(
        "--sharpen",
        nargs="?",
        const=DEFAULT_PROPOSALS,
        metavar="WEIGHTS",
        help="refine the masks of objects of middling size by these weights of SharpMask, on features of the "
        "network itself: on a CPU, not in int8. A word behind it is taken for the weights "
        "(default: off; without WEIGHTS %(const)s)",
    )
    add_class_argument(group, "look for these classes only (default: all)")


def add_class_argument(group: argparse._ActionsContainer, what: str) -> None:
    """Add `--classes A,B`, names that the weights must know; `what` is its help."""
    group.add_argument("--classes", type=name_list, metavar="A,B", help=what)


def add_weights_argument(group: argparse._ActionsContainer, default: str = "the bundled ones") -> None:
    """Add `--weights FILE`; `default` says which ones are taken without it."""
    group.add_argument(
        "--weights",
        metavar="FILE",
        help=f"weights: a file, or a name that `models list` shows (default: {default})",
    )


def add_network_arguments(group: argparse._ActionsContainer) -> None:
    """Add the flags that choose weights, and what runs them."""
    add_weights_argument(group)
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
    add_image_size_argument(group)


def add_image_size_argument(group: argparse._ActionsContainer) -> None:
    """Add `--image-size PX`."""
    group.add_argument(
        "--image-size",
        type=input_size,
        metavar="PX",
        help=f"side of the network's input, {SMALLEST_INPUT} to {LARGEST_INPUT} (default: the weights' own)",
    )


def add_tracking_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say how instances are followed through a video, and where their tracks go."""
    group = parser.add_argument_group("tracks (of videos, cameras and streams)")
    group.add_argument(
        "--no-track",
        dest="track",
        action="store_false",
        help="look at each frame by itself: colours and ids do not stay with an instance. With tracks an "
        "instance stays while it scores at least half the threshold",
    )
    group.add_argument(
        "--stabilise",
        choices=STABILISE_KINDS,
        default=STABILISE_KINDS[0],
        help="keep masks from jittering from frame to frame (default: %(default)s)",
    )
    add_keyframe_arguments(group)
    group.add_argument(
        "--tracks-as",
        type=track_formats,
        default=(),
        metavar="A,B",
        help=f"write the tracks too, beside each output, as any of {', '.join(TRACK_FORMATS)}; mots counts "
        "frames from 1, as MOTSChallenge does, kitti-mots from 0, as KITTI MOTS does",
    )


def add_keyframe_arguments(group: argparse._ActionsContainer) -> None:
    """Add the flags that let the network pass over frames."""
    group.add_argument(
        "--keyframes",
        type=at_least_one,
        default=1,
        metavar="N",
        help="let the network look at one of N frames, and wherever the picture changes too much, and move "
        "what was found along for those between: faster, and a little less exact (default: %(default)s, "
        "every frame)",
    )
    group.add_argument(
        "--reuse-still",
        action="store_true",
        help="give a frame that looks as the last one did that one's result: for cameras that watch a place",
    )


def add_drawing_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `DisplaySettings`, and `--no-crop`."""
    group = parser.add_argument_group("drawing")
    group.add_argument(
        "--alpha",
        dest="opacity",
        type=fraction,
        default=0.45,
        metavar="A",
        help="opacity of the masks, 0 to 1 (default: %(default)s)",
    )
    group.add_argument(
        "--colour-by",
        choices=("instance", "class"),
        default="instance",
        help="a colour for each instance or each class (default: %(default)s)",
    )
    for part, told in (
        ("masks", "find boxes only, which is faster"),
        ("boxes", "draw no boxes"),
        ("labels", "draw no class names and scores"),
    ):
        group.add_argument(f"--no-{part}", dest=part, action="store_false", help=told)
    group.add_argument("--show-fps", action="store_true", help="draw the frame rate in a corner of videos")
    group.add_argument(
        "--no-crop",
        dest="crop_masks",
        action="store_false",
        help="do not crop masks to their boxes: shows what leaks out of them",
    )


def add_data_arguments(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the flags of `DataOptions`; `what` says what --data takes."""
    data = parser.add_argument_group("data")
    data.add_argument("--data", required=True, type=Path, metavar="PATH", help=what)
    data.add_argument(
        "--images",
        type=Path,
        metavar="FOLDER",
        help="folder of the images (default: looked for in the usual places)",
    )
    for key in ("coverage", "source"):
        data.add_argument(
            f"--{key}",
            action="append",
            default=[],
            metavar="VALUE",
            help=f"take only images whose key {key!r} has this value; may be given several times",
        )
    data.add_argument("--limit", type=at_least_one, metavar="N", help="take only the first N images")
    data.add_argument(
        "--skip-broken",
        action="store_true",
        help="go on when an image cannot be read; it counts as one where nothing was found",
    )


def refuse_early(detection: DetectionSettings) -> None:
    """Refuse settings that can be told to be wrong before PyTorch is loaded, which takes seconds.

    Raises ConfigError and CheckpointError.
    """
    resolve_weights(detection.weights)
    if detection.sharpen is not None:
        resolve_weights(detection.sharpen)
    known = CATALOG.get(current_name(detection.weights or DEFAULT_WEIGHTS))
    if known is not None:  # a file of one's own says itself what it allows
        options = DetectOptions(detection.score_threshold, detection.max_detections, detection.nms)
        options.check(preset(known.config))
