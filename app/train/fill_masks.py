"""`fill-masks`: masks for the objects of a labelled data set that have only a box, to train on."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.labels import read_labelled, tell_left_out
from app.options import add_class_argument, add_network_arguments, fraction, network_options

if TYPE_CHECKING:
    from pycocotools.coco import COCO

    from model.evaluation.ground_truth import ImagePlace
    from model.predictor import Predictor
    from model.training.data.coco.values import Id


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
    from app.cli import EXIT_FAILED, EXIT_OK
    from app.progress import progress_bar
    from model.errors import LiveMaskError
    from model.evaluation.ground_truth import coco_ground_truth
    from model.predictor import load_predictor
    from model.training.data.coco.files import coco_file
    from model.training.data.coverage import with_masks

    labels = coco_file(args.data)
    with _output(args, labels) as write:
        found = coco_ground_truth(labels, args.images)
        tell_left_out(found)
        # pictures and their mirrors
        predictor = load_predictor(**network_options(args), classes=args.classes, batch=2)
        wanted = args.classes or predictor.config.class_names
        waiting = filled = 0
        failures: list[str] = []
        with progress_bar() as progress:
            for image in progress.track(found.images, description="looking into boxes"):
                objects = _without_mask(found.truth, image["id"], wanted)
                waiting += len(objects)
                try:
                    filled += _fill(found.place(image), image, objects, predictor, args.agreement)
                except LiveMaskError as error:  # the labels of this one stay as they are
                    failures.append(str(error))
                else:
                    image["coverage"] = with_masks(image.get("coverage"))
        write(found.truth.dataset)
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"{args.output}: {filled} of {waiting} objects without a mask have one now")
    return EXIT_FAILED if failures else EXIT_OK


@contextmanager
def _output(args: argparse.Namespace, labels: Path) -> Iterator[Callable[[Any], None]]:
    """What writes the json; that it can be written is certain before any work.

    Raises ConfigError for the file that is read, SinkError for one that exists or cannot be made.
    """
    from model.errors import ConfigError
    from pipeline.sinks.files import json_bytes
    from pipeline.sinks.part_file import PartFile, cannot_be_written

    output = args.output
    if output.exists() and output.samefile(labels):
        raise ConfigError(f"{output} holds the labels that are read; name another file")
    with cannot_be_written(output):
        output.parent.mkdir(parents=True, exist_ok=True)
    part = PartFile(output, args.overwrite)

    def write(record: Any) -> None:
        with cannot_be_written(output):
            part.file.write(json_bytes(record))
        part.publish()

    try:
        yield write
    except BaseException:
        part.discard()
        raise


def _without_mask(truth: COCO, image: Id, wanted: Collection[str]) -> list[tuple[str, dict[str, Any]]]:
    """Class name and record of each single object without a mask that is of a wanted class."""
    records = truth.imgToAnns[image]
    named = [(truth.cats[record["category_id"]]["name"], record) for record in records]
    return [(n, r) for n, r in named if n in wanted and not r["segmentation"] and not r["iscrowd"]]


def _fill(
    place: ImagePlace,
    image: Mapping[str, Any],
    objects: Sequence[tuple[str, dict[str, Any]]],
    predictor: Predictor,
    agreement: float,
) -> int:
    """Give masks to those of the objects for which one is found, and return how many they are."""
    import numpy as np

    from model.training.data.rle import encode_mask
    from model.training.self_training import masks_for_boxes

    if not objects:
        return 0
    known = predictor.config.class_names
    size = [image["height"], image["width"]]
    frame = read_labelled(place)
    boxes = np.array([record["bbox"] for _, record in objects], np.float64)
    boxes[:, 2:] += boxes[:, :2]
    masks = masks_for_boxes(frame, boxes, [known.index(name) for name, _ in objects], predictor, agreement)
    for (_, record), mask in zip(objects, masks, strict=True):
        if mask is not None:
            record["segmentation"] = {"size": size, "counts": encode_mask(mask.paste(*size)).decode()}
    return sum(mask is not None for mask in masks)
