"""Labelled images for commands: chosen, read, and what their labels lack told."""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO

from app.options import DataOptions
from model.errors import SourceError
from model.evaluation.coco_eval import ClassMatch, measured_objects, objects_without_mask
from model.evaluation.ground_truth import GroundTruth, ImagePlace, partly_labelled, select_images
from model.training.data.labelled import load_labelled
from pipeline.sources.images import read_image


def read_labelled(place: ImagePlace) -> NDArray[np.uint8]:
    """Return the frame [H, W, 3] uint8 BGR of an image, turned as its labels are. Raises SourceError."""
    if place.fault:
        raise SourceError(f"{place.path}: {place.fault}")
    return read_image(place.path, place.upright)


def tell_left_out(labels: GroundTruth) -> None:
    """Print a line for each reason why something of the labels is not used."""
    for skipped in labels.skipped:
        print(f"{labels.file.name}: left out {skipped}", file=sys.stderr)


def labelled_images(data: DataOptions) -> GroundTruth:
    """Return the labels of the chosen images, and tell what was left out of them.

    Raises DataError and ConfigError when labels or images are not fit for it.
    """
    found = load_labelled(data.data, data.images)
    tell_left_out(found)
    chosen = found.confined(select_images(found.truth, data.coverage, data.source, data.limit))
    if not data.skip_broken:
        chosen.require_images("--skip-broken counts such an image as one where nothing was found")
    return chosen


def tell_reservations(truth: COCO, classes: ClassMatch) -> None:
    """Print a line for each thing that makes the figures mean less than they seem to."""
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
