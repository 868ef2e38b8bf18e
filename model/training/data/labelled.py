"""Labelled images to measure on, in any format that training reads."""

from __future__ import annotations

from pathlib import Path

from model.evaluation.ground_truth import GroundTruth, ImagePlace, coco_ground_truth
from model.training.data.annotations import AnnotationSet
from model.training.data.coco.files import coco_file
from model.training.data.coco.format import recognises_coco
from model.training.data.data_formats import load_annotations
from model.training.data.held_out import as_ground_truth


def load_labelled(path: Path, images: Path | None = None) -> GroundTruth:
    """Return the labels of a COCO json, or of a folder as `load_annotations` takes it, with their images.

    images: the folder of the images, None for the usual places

    Raises DataError when there is no such data set, or nothing of it can be used.
    """
    if recognises_coco(path) or not path.exists():
        return coco_ground_truth(coco_file(path), images)
    return measured_set(load_annotations(path, images=images), path)


def measured_set(annotations: AnnotationSet, file: Path) -> GroundTruth:
    """Return the ground truth of a data set read from `file`; its images are numbered from 1."""
    places = {n: ImagePlace(i.path, i.upright) for n, i in enumerate(annotations.images, start=1)}
    return GroundTruth(file, as_ground_truth(annotations), places.__getitem__, annotations.skipped)
