"""Read a COCO json to train on: polygons, run lengths and crowds, with label coverage.

Beyond COCO's own keys an image may carry `coverage`, which says what was labelled in it:
`coco80` or none: every category of the file; `a,b`: only these; `main a`: of these, but not every object;
`a boxes`: boxes alone. The last two combine with a list of names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from model.training.data.annotations import AnnotationSet, ImageRecord, Instance, SkipLog, finished_set
from model.training.data.class_map import ClassMap, map_classes
from model.training.data.coco.entries import CocoImage, CocoObject
from model.training.data.coco.files import coco_file
from model.training.data.coco.records import CocoFile, read_coco_file
from model.training.data.coco.values import Id
from model.training.data.coverage import Coverage, parse_coverage
from model.training.data.image_files import labels_are_upright
from model.training.data.image_places import spelled
from model.training.data.reading import ReadRequest

MIN_BOX_SIDE = 1.0


def recognises_coco(path: Path) -> bool:
    """Return True for a json file, or a folder with exactly one."""
    return path.suffix.lower() == ".json" or (path.is_dir() and len(list(path.glob("*.json"))) == 1)


def read_coco(path: Path, request: ReadRequest) -> AnnotationSet:
    """Return the annotations of a json file, or of the one json file in a folder.

    Raises DataError when the file is no COCO json, its ids clash, none of its images is found or nothing in
    it can be used, and ConfigError when a class name is none of its categories.
    """
    found = read_coco_file(coco_file(path), request.images)
    names = list(found.names.values())
    classes = map_classes(names, request.class_names, request.remap, request.allow_missing)
    of_image: defaultdict[Id, list[CocoObject]] = defaultdict(list)
    for one in found.objects:
        of_image[one.image.id].append(one)
    reader = _Reader(found, classes)
    records = [reader.image(image, of_image[image.id]) for image in found.images.values()]
    used = [record for record in records if record is not None]
    return finished_set(found.file.stem, classes.class_names, used, found.log)


class _Reader:
    """Turns the entries of one file into records, noting what cannot be learned from."""

    def __init__(self, file: CocoFile, classes: ClassMap) -> None:
        self._places = file.find()
        self._names = file.names
        self._classes = classes
        self._log: SkipLog = file.log

    def image(self, image: CocoImage, objects: Iterable[CocoObject]) -> ImageRecord | None:
        """Return the record of an image, or None where it cannot be used."""
        if image.name not in self._places:
            self._log.add("image file is missing", spelled(image.name))
            return None
        path = self._places[image.name]
        try:
            upright = labels_are_upright(path, image.width, image.height)
            coverage = parse_coverage(
                image.record.get("coverage"), tuple(self._names.values()), self._classes
            )
        except ValueError as error:
            self._log.add(str(error), image.name)
            return None
        found = (self._instance(one, coverage) for one in objects)
        instances = tuple(instance for instance in found if instance is not None)
        if not coverage.exhaustive and not instances:
            self._log.add("image labelled in part and without a usable object", image.name)
            return None
        return ImageRecord(
            path, image.width, image.height, instances, coverage.labelled, coverage.exhaustive, upright
        )

    def _instance(self, one: CocoObject, coverage: Coverage) -> Instance | None:
        class_index = self._classes.index_of.get(self._names[one.category])
        if class_index is None or (coverage.labelled is not None and class_index not in coverage.labelled):
            return None
        box = one.extent() if coverage.masks else one.box
        if box is None:
            self._log.add("annotation without a box, where boxes alone count", one.label)
            return None
        corners = _corners(box, one.image.width, one.image.height)
        if min(corners[2] - corners[0], corners[3] - corners[1]) < MIN_BOX_SIDE:
            self._log.add("object less than a pixel wide or high, or outside the image", one.label)
            return None
        if not coverage.masks:
            return Instance(corners, class_index, crowd=one.crowd)
        polygons = tuple(polygon.astype(np.float32) for polygon in one.mask.polygons)
        return Instance(corners, class_index, polygons, one.mask.rle, one.crowd)


def _corners(
    box: tuple[float, float, float, float], width: int, height: int
) -> tuple[float, float, float, float]:
    """x1 y1 x2 y2 of x, y, width, height, clipped to the image."""
    x, y, w, h = box
    x1, x2 = (min(max(side, 0.0), width) for side in (x, x + w))
    y1, y2 = (min(max(side, 0.0), height) for side in (y, y + h))
    return x1, y1, x2, y2
