"""COCO json: polygons, run lengths and crowds (cocodataset.org, "Data format"), with label coverage.

Beyond COCO's own keys an image may carry `coverage`, which says what was labelled in it:
`coco80` or none: every category of the file; `a,b`: only these; `main a`: of these, but not every object;
`a boxes`: boxes alone. The last two combine with a list of names.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import DataError
from model.training.annotations import AnnotationSet, ImageRecord, Instance, SkipLog, finished_set
from model.training.class_map import ClassMap, map_classes
from model.training.coco_files import coco_file, image_folder, read_json
from model.training.coverage import Coverage, parse_coverage
from model.training.image_files import labels_are_upright, read_size
from model.training.reading import ReadRequest
from model.training.rle import checked_rle, rle_box

MIN_BOX_SIDE = 1.0


def recognises_coco(path: Path) -> bool:
    """A json file, or a folder with exactly one."""
    return path.suffix.lower() == ".json" or (path.is_dir() and len(list(path.glob("*.json"))) == 1)


def read_coco(path: Path, request: ReadRequest) -> AnnotationSet:
    """The annotations of a json file, or of the one json file in a folder.

    Raises DataError when the file is no COCO json, its ids clash or nothing in it can be used, and
    ConfigError when a class name is none of its categories.
    """
    file = coco_file(path)
    content = _load(file)
    categories = _by_id(content["categories"], "category", file)
    images = _by_id(content["images"], "image", file)
    _by_id((a for a in content["annotations"] if "id" in a), "annotation", file)
    names = {i: str(c.get("name")) for i, c in sorted(categories.items(), key=_numbers_first)}
    if len(set(names.values())) != len(names):
        raise DataError(f"{file}: two categories have the same name; give each its own")
    classes = map_classes(list(names.values()), request.class_names, request.remap, request.allow_missing)
    log = SkipLog()
    by_image = _group(content["annotations"], images, log)
    folder = image_folder(file, images.values(), request.images)
    reader = _Reader(folder, names, classes, log)
    records = [reader.image(entry, by_image[i]) for i, entry in images.items()]
    return finished_set(file.stem, classes.class_names, [r for r in records if r is not None], log)


def _load(file: Path) -> dict[str, Any]:
    content = read_json(file)
    for key in ("images", "annotations", "categories"):
        found = content.get(key)
        if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
            raise DataError(f"{file}: expected a COCO json with a list {key!r}, got none")
        if not found:
            raise DataError(f"{file}: its list of {key} is empty; there is nothing to learn from")
    return content


def _numbers_first(entry: tuple[Any, Any]) -> tuple[bool, Any]:
    """The order of ids, which may be numbers and text."""
    return isinstance(entry[0], str), entry[0]


def _by_id(entries: Iterable[dict[str, Any]], what: str, file: Path) -> dict[Any, dict[str, Any]]:
    found: dict[Any, dict[str, Any]] = {}
    for entry in entries:
        key = entry.get("id")
        if not isinstance(key, (int, str)):
            raise DataError(f"{file}: expected a number as the id of every {what}, got {key!r}")
        if key in found:
            raise DataError(f"{file}: two entries share the {what} id {key}; give each its own")
        found[key] = entry
    return found


def _group(
    annotations: list[dict[str, Any]], images: dict[Any, Any], log: SkipLog
) -> defaultdict[Any, list[dict[str, Any]]]:
    grouped: defaultdict[Any, list[dict[str, Any]]] = defaultdict(list)
    for annotation in annotations:
        image_id = annotation.get("image_id")
        if isinstance(image_id, (int, str)) and image_id in images:
            grouped[image_id].append(annotation)
        else:
            log.add("annotation of an image that is not listed", _label(annotation))
    return grouped


class _Reader:
    """Turns the entries of one file into records, noting what cannot be used."""

    def __init__(self, folder: Path, names: dict[Any, str], classes: ClassMap, log: SkipLog) -> None:
        self._folder = folder
        self._names = names
        self._classes = classes
        self._log = log

    def image(self, entry: dict[str, Any], annotations: list[dict[str, Any]]) -> ImageRecord | None:
        """The record of an image, or None where it cannot be used."""
        name = str(entry.get("file_name"))
        try:
            path, width, height, upright = self._checked_file(entry, name)
            coverage = parse_coverage(entry.get("coverage"), tuple(self._names.values()), self._classes)
        except ValueError as error:
            self._log.add(str(error), name)
            return None
        found = (self._instance(a, name, width, height, coverage) for a in annotations)
        instances = tuple(instance for instance in found if instance is not None)
        if not coverage.exhaustive and not instances:
            self._log.add("image labelled in part and without a usable object", name)
            return None
        return ImageRecord(path, width, height, instances, coverage.labelled, coverage.exhaustive, upright)

    def _checked_file(self, entry: dict[str, Any], name: str) -> tuple[Path, int, int, bool]:
        path = self._folder / name
        width, height = entry.get("width"), entry.get("height")
        if width is None or height is None:
            stored_width, stored_height, turned = read_size(path)
            width, height = (stored_height, stored_width) if turned else (stored_width, stored_height)
        if not (isinstance(width, int) and isinstance(height, int)):
            raise ValueError("image whose width or height is no whole number")
        return path, width, height, labels_are_upright(path, width, height)

    def _instance(
        self, annotation: dict[str, Any], image: str, width: int, height: int, coverage: Coverage
    ) -> Instance | None:
        label = f"{image}, {_label(annotation)}"
        category = annotation.get("category_id")
        if not isinstance(category, (int, str)) or category not in self._names:
            self._log.add("annotation of an unknown category", f"{label}, category {category!r}")
            return None
        class_index = self._classes.index_of.get(self._names[category])
        if class_index is None or (coverage.labelled is not None and class_index not in coverage.labelled):
            return None
        # == and no look-up in a set: it may be a list or a table
        if annotation.get("iscrowd") not in (None, 0, 1):
            self._log.add("annotation whose iscrowd is neither 0 nor 1", label)
            return None
        polygons, rle = self._mask(annotation, label, width, height) if coverage.masks else ((), None)
        try:
            box = _box(annotation, polygons, rle, width, height)
        except ValueError as error:
            self._log.add(str(error), label)
            return None
        return Instance(box, class_index, polygons, rle, bool(annotation.get("iscrowd")))

    def _mask(
        self, annotation: dict[str, Any], label: str, width: int, height: int
    ) -> tuple[tuple[NDArray[np.float32], ...], bytes | None]:
        segmentation = annotation.get("segmentation")
        if not segmentation:
            return (), None
        try:
            if isinstance(segmentation, dict):
                return (), checked_rle(segmentation, width, height)
            return _polygons(segmentation, width, height), None
        except ValueError as error:
            self._log.add(f"mask, of which only the box is used: {error}", label)
            return (), None


def _label(annotation: dict[str, Any]) -> str:
    return f"annotation {annotation.get('id', 'without id')}"


def _polygons(segmentation: Any, width: int, height: int) -> tuple[NDArray[np.float32], ...]:
    """The polygons of three corners or more. Raises ValueError when there is none."""
    try:
        flat = [np.asarray(polygon, dtype=np.float64) for polygon in segmentation]
    except (TypeError, ValueError, OverflowError):
        raise ValueError("segmentation is malformed") from None
    if any(p.ndim != 1 or len(p) % 2 or not np.isfinite(p).all() for p in flat):
        raise ValueError("segmentation is malformed")
    # far outside it does not matter where a corner lies, but drawing takes as long as the outline
    low, high = (-width, -height), (2 * width, 2 * height)
    polygons = tuple(p.reshape(-1, 2).clip(low, high).astype(np.float32) for p in flat if len(p) >= 6)
    if not polygons:
        raise ValueError("polygon of fewer than three points")
    return polygons


def _box(
    annotation: dict[str, Any],
    polygons: tuple[NDArray[np.float32], ...],
    rle: bytes | None,
    width: int,
    height: int,
) -> tuple[float, float, float, float]:
    """The mask's extent, or the annotated box where there is no mask, clipped to the image.

    Raises ValueError with the reason when nothing of it is left.
    """
    if polygons:
        points = np.concatenate(polygons)
        corners = (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())
    elif rle is not None:
        corners = rle_box(rle, width, height)
    else:
        corners = _annotated_corners(annotation.get("bbox"))
    x1, x2 = (min(max(x, 0.0), width) for x in corners[0::2])
    y1, y2 = (min(max(y, 0.0), height) for y in corners[1::2])
    if min(x2 - x1, y2 - y1) < MIN_BOX_SIDE:
        raise ValueError("object less than a pixel wide or high, or outside the image")
    return x1, y1, x2, y2


def _annotated_corners(bbox: Any) -> tuple[float, float, float, float]:
    try:
        if not isinstance(bbox, list):
            raise TypeError
        x, y, w, h = (float(value) for value in bbox)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("annotation with neither a mask nor a box") from None
    if not all(map(math.isfinite, (x, y, w, h))):
        raise ValueError("box that is not finite")
    return x, y, x + w, y + h
