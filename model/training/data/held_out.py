"""Hold images of a data set out of training, to measure on when no others are given."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
from pycocotools.coco import COCO

from model.errors import ConfigError
from model.evaluation.ground_truth import indexed
from model.training.data.annotations import AnnotationSet, ImageRecord, Instance
from model.training.data.rle import mask_area


def hold_out(annotations: AnnotationSet, share: float, seed: int) -> tuple[AnnotationSet, AnnotationSet]:
    """Split images into those to train on and about `share` (0..1) to measure on, chosen by the seed.

    Images with and without objects are split in the same proportion. At least one image of each class stays
    in training. Raises ConfigError when nothing with an object can be held out.
    """
    order = np.random.default_rng((seed, len(annotations))).permutation(len(annotations)).tolist()
    images = annotations.images
    left = Counter(c for image in images for c in _classes(image))
    held: set[int] = set()
    for with_objects in (True, False):
        candidates = [i for i in order if bool(_classes(images[i])) == with_objects]
        wanted = max(round(len(candidates) * share), int(with_objects))
        for i in candidates:
            if wanted and all(left[c] > 1 for c in _classes(images[i])):
                held.add(i)
                left.subtract(_classes(images[i]))
                wanted -= 1
    if not any(_classes(images[i]) for i in held):
        raise ConfigError(
            f"{annotations.name}: too few images to hold some out to measure on; name others with --val, or "
            "go without by --val-share 0"
        )
    return _part(annotations, set(order) - held), _part(annotations, held)


def as_ground_truth(annotations: AnnotationSet) -> COCO:
    """Convert a data set to COCO's records; images are numbered from 1, and file names are whole paths."""
    records: list[dict[str, Any]] = []
    for number, image in enumerate(annotations.images, start=1):
        for instance in image.instances:
            records.append({"id": len(records) + 1, "image_id": number, **_record(instance, image)})
    return indexed(
        {
            "images": [
                {
                    "id": n,
                    "file_name": str(image.path),
                    "width": image.width,
                    "height": image.height,
                    "coverage": _coverage(image, annotations.class_names),
                }
                for n, image in enumerate(annotations.images, start=1)
            ],
            "annotations": records,
            "categories": [{"id": n, "name": name} for n, name in enumerate(annotations.class_names)],
        }
    )


def _coverage(image: ImageRecord, class_names: tuple[str, ...]) -> str | None:
    """Return the image's coverage as text for `stated_coverage`; None for everything."""
    if image.labelled is None and image.exhaustive:
        return None
    labelled = range(len(class_names)) if image.labelled is None else sorted(image.labelled)
    return ("" if image.exhaustive else "main ") + ",".join(class_names[i] for i in labelled)


def _record(instance: Instance, image: ImageRecord) -> dict[str, Any]:
    x1, y1, x2, y2 = instance.box
    mask: Any = [polygon.reshape(-1).tolist() for polygon in instance.polygons]
    if instance.rle is not None:
        mask = {"size": [image.height, image.width], "counts": instance.rle.decode("ascii")}
    return {
        "category_id": instance.class_index,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": mask_area(mask, image.width, image.height) or (x2 - x1) * (y2 - y1),
        "iscrowd": int(instance.crowd),
        "segmentation": mask,
    }


def _classes(image: ImageRecord) -> set[int]:
    return {instance.class_index for instance in image.instances if not instance.crowd}


def _part(annotations: AnnotationSet, chosen: set[int]) -> AnnotationSet:
    kept = sorted(chosen)
    weights = annotations.weights
    return replace(
        annotations,
        images=tuple(annotations.images[i] for i in kept),
        weights=None if weights is None else tuple(weights[i] for i in kept),
    )
