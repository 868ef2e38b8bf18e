"""`calibrate`: scores of weights made into probabilities, and a threshold for each of their classes."""

from __future__ import annotations

import argparse
from pathlib import Path

from app.cli import EXIT_OK
from app.options import DataOptions, add_data_arguments, record
from app.values import at_least_one, input_size, positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    add_data_arguments(parser, "a data set as `train` takes it, of images that were not trained on")
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="a checkpoint, or a name that `models list` shows (default: the bundled ones)",
    )
    parser.add_argument(
        "-o", "--output", required=True, type=Path, metavar="OUT.pt", help="the checkpoint to write"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a checkpoint that exists")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    parser.add_argument(
        "--image-size", type=input_size, metavar="PX", help="side of the input (default: the weights' own)"
    )
    parser.add_argument(
        "--least-objects",
        type=at_least_one,
        default=20,
        metavar="N",
        help="classes with fewer labelled objects share a threshold (default: %(default)s)",
    )
    parser.add_argument(
        "--beta",
        type=positive,
        default=1.0,
        metavar="B",
        help="thresholds are those of the best F measure, in which recall counts B times as much as "
        "precision (default: %(default)s)",
    )
    parser.add_argument(
        "--thresholds-only", action="store_true", help="leave scores as they are, and choose thresholds alone"
    )


def run(args: argparse.Namespace) -> int:
    """Fit on the labelled images, write the checkpoint, and print what has changed."""
    from app.calibrate.run import CalibrateOptions, calibrate

    calibrate(record(CalibrateOptions, args, data=record(DataOptions, args)))
    return EXIT_OK
