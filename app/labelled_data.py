"""Labelled images that a command measures on: the arguments that name them, and what is said about them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from app.labels import tell_left_out
from app.options import at_least_one

if TYPE_CHECKING:
    from pycocotools.coco import COCO

    from app.evaluate.images import Task
    from model.evaluation.coco_eval import ClassMatch
    from model.evaluation.ground_truth import GroundTruth
    from model.predictor import Predictor


def add_data_arguments(parser: argparse.ArgumentParser, what: str) -> None:
    """Which labels and images, see `labelled_images`; `what` says what --data takes."""
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


def labelled_images(args: argparse.Namespace) -> GroundTruth:
    """The labels of the chosen images; what was left out of them is told.

    Raises DataError and ConfigError when labels or images are not fit for it.
    """
    from model.evaluation.ground_truth import select_images
    from model.training.data.labelled import load_labelled

    found = load_labelled(args.data, args.images)
    tell_left_out(found)
    chosen = found.confined(select_images(found.truth, args.coverage, args.source, args.limit))
    if not args.skip_broken:
        chosen.require_images("--skip-broken counts such an image as one where nothing was found")
    return chosen


def task_for(args: argparse.Namespace, labels: GroundTruth, predictor: Predictor, resamples: int = 0) -> Task:
    """What is measured: the classes that are both looked for and labelled.

    Raises ConfigError where there is none.
    """
    from app.evaluate.images import Task
    from model.evaluation.coco_eval import match_classes

    names, chosen = predictor.config.class_names, predictor.options.classes
    classes = match_classes(labels.truth, names if chosen is None else [names[i] for i in chosen])
    return Task(labels, classes, args.skip_broken, resamples)


def tell_reservations(truth: COCO, classes: ClassMatch) -> None:
    """One line for each thing that makes the figures mean less than they seem to."""
    from model.evaluation.coco_eval import measured_objects, objects_without_mask
    from model.evaluation.ground_truth import partly_labelled

    objects, bare = len(measured_objects(truth, classes)), objects_without_mask(truth, classes)
    if not objects:
        print("note: these images hold no labelled object of these classes", file=sys.stderr)
    if bare:
        print(f"note: {bare} of {objects} objects have no mask, so masks are not measured", file=sys.stderr)
    if classes.missing:
        print(f"note: not labelled, so not measured: {', '.join(classes.missing)}", file=sys.stderr)
    partial = partly_labelled(truth, classes.category_ids)
    if partial:
        kinds = ", ".join(sorted({repr(image["coverage"]) for image in partial}))
        print(
            f"note: {len(partial)} of {len(truth.imgs)} images are labelled in part ({kinds}); what is found "
            "there beyond the labels counts as wrong (--coverage chooses images)",
            file=sys.stderr,
        )
