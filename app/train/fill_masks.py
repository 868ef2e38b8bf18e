"""`fill-masks`: masks for the objects of a labelled data set that have only a box, to train on."""

from __future__ import annotations

import argparse
from pathlib import Path

from app.cli import EXIT_FAILED, EXIT_OK
from app.options import add_class_argument, add_network_arguments, record
from app.values import fraction
from pipeline.settings import DetectionSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        "--data", required=True, type=Path, metavar="PATH", help="COCO json, or a folder with one"
    )
    parser.add_argument(
        "--images", type=Path, metavar="FOLDER", help="where its images lie, if not beside it"
    )
    parser.add_argument(
        "-o", "--output", required=True, type=Path, metavar="JSON", help="the json to write, with the masks"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a json that exists")
    parser.add_argument(
        "--agreement",
        type=fraction,
        default=0.8,
        metavar="IOU",
        help="take a mask when its extent and the labelled box have at least this IoU (default: %(default)s)",
    )
    add_class_argument(parser, "fill masks of these classes only (default: all that the weights know)")
    add_network_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Write a copy of the labels with the masks in which the network and a person's box agree."""
    from app.train.mask_filling import FillOptions, fill_masks

    whole = fill_masks(record(FillOptions, args, detection=record(DetectionSettings, args)))
    return EXIT_OK if whole else EXIT_FAILED
