"""The work of `fill-masks`: look into the boxes of objects that have no mask."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO

from app.labelled_data import read_labelled, tell_left_out
from app.terminal import progress_bar
from model.errors import ConfigError, LiveMaskError
from model.evaluation.ground_truth import ImagePlace, coco_ground_truth
from model.host.hosting import hosted
from model.host.predictor import HostPredictor
from model.options import LoadOptions
from model.predictor import load_predictor
from model.training.data.coco.files import coco_file
from model.training.data.coco.values import Id
from model.training.data.coverage import with_masks
from model.training.data.rle import encode_mask
from model.training.self_training import masks_for_boxes
from pipeline.settings import DetectionSettings
from pipeline.sinks.files import json_bytes
from pipeline.sinks.part_file import PartFile, cannot_be_written


@dataclass(frozen=True)
class FillOptions:
    """Options of `fill-masks`.

    data:      COCO json, or a folder with one
    agreement: least IoU, 0..1, of a mask's extent and the labelled box
    detection: the network; its classes are those whose objects get masks
    """

    data: Path
    images: Path | None
    output: Path
    overwrite: bool
    agreement: float
    detection: DetectionSettings


def fill_masks(options: FillOptions) -> bool:
    """Write a copy of the labels with the masks in which the network and a person's box agree.

    Returns whether every image could be looked at; those that could not keep their labels.
    """
    labels, detection = coco_file(options.data), options.detection
    with _output(options.output, options.overwrite, labels) as write:
        found = coco_ground_truth(labels, options.images)
        tell_left_out(found)
        pictures_and_mirrors: LoadOptions = {**detection.load_options(), "batch": 2}
        predictor = hosted(load_predictor(weights=detection.weights, **pictures_and_mirrors))
        wanted = detection.classes or predictor.config.class_names
        waiting = filled = 0
        failures: list[str] = []
        with progress_bar() as progress:
            for image in progress.track(found.images, description="looking into boxes"):
                objects = _without_mask(found.truth, image["id"], wanted)
                waiting += len(objects)
                try:
                    filled += _fill(found.place(image), image, objects, predictor, options.agreement)
                except LiveMaskError as error:  # the labels of this one stay as they are
                    failures.append(str(error))
                else:
                    image["coverage"] = with_masks(image.get("coverage"))
        write(found.truth.dataset)
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"{options.output}: {filled} of {waiting} objects without a mask have one now")
    return not failures


@contextmanager
def _output(output: Path, overwrite: bool, labels: Path) -> Iterator[Callable[[Any], None]]:
    """Yield what writes the json; that it can be written is certain before any work.

    Raises ConfigError for the file that is read, SinkError for one that exists or cannot be made.
    """
    if output.exists() and output.samefile(labels):
        raise ConfigError(f"{output} holds the labels that are read; name another file")
    with cannot_be_written(output):
        output.parent.mkdir(parents=True, exist_ok=True)
    part = PartFile(output, overwrite)

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
    """Return class name and record of each single object without a mask that is of a wanted class."""
    records = truth.imgToAnns[image]
    named = [(truth.cats[record["category_id"]]["name"], record) for record in records]
    return [(n, r) for n, r in named if n in wanted and not r["segmentation"] and not r["iscrowd"]]


def _fill(
    place: ImagePlace,
    image: Mapping[str, Any],
    objects: Sequence[tuple[str, dict[str, Any]]],
    predictor: HostPredictor,
    agreement: float,
) -> int:
    """Give masks to those of the objects for which one is found, and return how many they are."""
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
