"""Command-line arguments about what is drawn, and how."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from app.options import fraction

if TYPE_CHECKING:
    from pipeline.overlay.draw import OverlayStyle


def add_drawing_arguments(parser: argparse.ArgumentParser) -> None:
    """See `overlay_style`; `--show-fps` and `--no-crop` are others' business."""
    group = parser.add_argument_group("drawing")
    group.add_argument(
        "--alpha",
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
    group.add_argument("--no-masks", action="store_true", help="find boxes only, which is faster")
    group.add_argument("--no-boxes", action="store_true", help="draw no boxes")
    group.add_argument("--no-labels", action="store_true", help="draw no class names and scores")
    group.add_argument("--show-fps", action="store_true", help="draw the frame rate in a corner of videos")
    group.add_argument(
        "--no-crop",
        action="store_true",
        help="do not crop masks to their boxes: shows what leaks out of them",
    )


def overlay_style(args: argparse.Namespace) -> OverlayStyle:
    """What the drawing arguments ask for."""
    from pipeline.overlay.draw import OverlayStyle

    return OverlayStyle(
        masks=not args.no_masks,
        boxes=not args.no_boxes,
        labels=not args.no_labels,
        alpha=args.alpha,
        colour_by=args.colour_by,
    )
