"""Reading a COCO json as ground truth for an evaluation, with all that can be wrong about it said first."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from pycocotools.coco import COCO

from model.errors import ConfigError, DataError
from model.images import MAX_PIXELS
from model.training.coco_files import read_json
from model.training.coverage import stated_coverage
from model.training.rle import checked_rle

Record = dict[str, Any]

_LISTS = ("images", "annotations", "categories")
_IMAGE_FIELDS: dict[str, type] = {"file_name": str, "width": int, "height": int}
# pixels; drawing a polygon takes time and memory as the length of its outline
_FARTHEST = 1e6


def load_ground_truth(path: Path) -> COCO:
    """The checked contents of a COCO instances json, indexed.

    Missing or null `iscrowd`, `area` and `segmentation` are filled in (0, that of the box, none).
    Annotations are renumbered from 1, because to `COCOeval` an object of id 0 is one that was never matched.
    Raises DataError naming the file and what is wrong with it: absent, no json, without images,
    annotations or categories, with clashing ids, with objects of unknown images or without a usable box.
    """
    data = read_json(path)
    try:
        _check(data)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    annotations = [_completed(record, number) for number, record in enumerate(data["annotations"], start=1)]
    return indexed({**data, "annotations": annotations})


def indexed(data: Record) -> COCO:
    """A `COCO` of these records, made without printing; `data` holds the three lists of a COCO json."""
    coco = COCO()
    coco.dataset = {"info": {}, **data}
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco


def select_images(
    ground_truth: COCO,
    coverage: Collection[str] = (),
    source: Collection[str] = (),
    limit: int | None = None,
) -> COCO:
    """The first `limit` images whose `coverage` and `source` are among those given; empty means any.

    Raises ConfigError on a value that no image has, naming those there are, and DataError when the
    filters together leave no image.
    """
    every: Sequence[Record] = ground_truth.dataset["images"]
    images = every
    for key, wanted in (("coverage", coverage), ("source", source)):
        _check_values(key, wanted, every)
        images = [image for image in images if not wanted or image.get(key) in wanted]
    if not images:
        raise DataError("no image has both the coverage and the source asked for; ask for less")
    return subset(ground_truth, (image["id"] for image in images[:limit]))


def partly_labelled(ground_truth: COCO, class_names: Collection[str]) -> list[Record]:
    """The images whose `coverage` says that objects of these classes may be there without a label.

    See `stated_coverage`.
    """
    return [
        image for image in ground_truth.dataset["images"] if not _covers(image.get("coverage"), class_names)
    ]


def subset(ground_truth: COCO, image_ids: Iterable[int]) -> COCO:
    """The same ground truth confined to these images; the records are shared, not copied."""
    keep = set(image_ids)
    data = ground_truth.dataset
    return indexed(
        {
            **data,
            "images": [image for image in data["images"] if image["id"] in keep],
            "annotations": [record for record in data["annotations"] if record["image_id"] in keep],
        }
    )


def _covers(text: object, class_names: Collection[str]) -> bool:
    stated = stated_coverage(text)
    return stated.names is None or (stated.exhaustive and stated.names.issuperset(class_names))


def _check_values(key: str, wanted: Collection[str], images: Sequence[Record]) -> None:
    present = sorted({str(image[key]) for image in images if key in image})
    for value in wanted:
        if value not in present:
            there = ", ".join(map(repr, present)) if present else f"none, its images have no {key!r}"
            raise ConfigError(f"no image has the {key} {value!r}; the file knows {there}")


def _check(data: Record) -> None:
    for key in _LISTS:
        records = data.get(key)
        if not isinstance(records, list) or not records:
            raise DataError(f"holds no {key}; a COCO json has lists {', '.join(_LISTS)}")
        if not all(isinstance(record, dict) for record in records):
            raise DataError(f"{key} holds something that is no table")
        _check_ids(key, records)
    for image in data["images"]:
        _check_image(image)
    _check_category_names(data["categories"])
    images = {image["id"]: image for image in data["images"]}
    categories = {category["id"] for category in data["categories"]}
    for annotation in data["annotations"]:
        _check_annotation(annotation, images, categories)


def _check_ids(key: str, records: list[Record]) -> None:
    seen: set[int] = set()
    for record in records:
        number = record.get("id")
        if type(number) is not int:
            raise DataError(f"{key} holds a record whose id is {number!r}, expected a whole number")
        if number in seen:
            raise DataError(f"{key} holds the id {number} twice; ids must differ")
        seen.add(number)


def _check_image(image: Record) -> None:
    for field, kind in _IMAGE_FIELDS.items():
        if type(image.get(field)) is not kind:
            raise DataError(f"image {image['id']} has {image.get(field)!r} for its {field}")
    width, height = image["width"], image["height"]
    if min(width, height) < 1 or width * height > MAX_PIXELS:
        raise DataError(
            f"image {image['id']} is {width} x {height} pixels, expected 1 to {MAX_PIXELS // 10**6} million"
        )
    try:
        stated_coverage(image.get("coverage"))
    except ValueError as error:
        raise DataError(f"image {image['id']}: {error}") from None


def _check_category_names(categories: list[Record]) -> None:
    names = [category.get("name") for category in categories]
    if not all(isinstance(name, str) for name in names):
        raise DataError("categories holds one without a name")
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise DataError(f"categories holds the name {min(map(str, twice))!r} twice; names must differ")


def _check_annotation(annotation: Record, images: dict[int, Record], categories: set[int]) -> None:
    where = f"annotation {annotation['id']}"
    if not _is_number(annotation.get("image_id")) or annotation["image_id"] not in images:
        raise DataError(f"{where} belongs to image {annotation.get('image_id')!r}, which is not in the file")
    if not _is_number(annotation.get("category_id")) or annotation["category_id"] not in categories:
        raise DataError(f"{where} has category {annotation.get('category_id')!r}, which is not in the file")
    if not _numbers(annotation.get("bbox"), 4, 4) or min(annotation["bbox"][2:]) < 0:
        raise DataError(f"{where} has the bbox {annotation.get('bbox')!r}, expected [x, y, width, height]")
    if not _usable_mask(annotation.get("segmentation"), images[annotation["image_id"]]):
        raise DataError(f"{where} has a segmentation that is neither polygons nor run lengths of its image")
    _check_crowd_and_area(annotation, where)


def _check_crowd_and_area(annotation: Record, where: str) -> None:
    crowd, area = annotation.get("iscrowd"), annotation.get("area")
    if crowd not in (None, 0, 1):
        raise DataError(f"{where} has {crowd!r} for its iscrowd, expected 0 or 1")
    if area is not None and not (_is_number(area) and 0 <= area < math.inf):
        raise DataError(f"{where} has {area!r} for its area, expected a number of square pixels")


def _usable_mask(mask: Any, image: Record) -> bool:
    if isinstance(mask, dict):
        return _usable_run_lengths(mask, image)
    return mask is None or (isinstance(mask, list) and all(_numbers(polygon, 6) for polygon in mask))


def _usable_run_lengths(mask: Record, image: Record) -> bool:
    try:
        checked_rle(mask, image["width"], image["height"])
    except (ValueError, TypeError):
        return False
    return True


def _numbers(value: Any, least: int, most: int | None = None) -> bool:
    if not isinstance(value, list) or len(value) < least or (most is not None and len(value) > most):
        return False
    return all(_is_number(v) and abs(v) <= _FARTHEST for v in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


def _completed(annotation: Record, number: int) -> Record:
    _, _, width, height = annotation["bbox"]
    area = annotation.get("area")
    return {
        **annotation,
        "id": number,
        "iscrowd": int(annotation.get("iscrowd") or 0),
        "area": width * height if area is None else area,
        "segmentation": annotation.get("segmentation") or [],
    }
