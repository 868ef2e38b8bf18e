"""Read a COCO json (cocodataset.org, "Data format"), for training, evaluation and completion of labels.

Clear deviations are repaired; entries that cannot be used are left out and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from model.errors import DataError
from model.images import MAX_PIXELS
from model.training.data.annotations import SkipLog
from model.training.data.coco.entries import CocoImage, CocoObject, Record
from model.training.data.coco.files import read_json
from model.training.data.coco.values import (
    Id,
    Mask,
    parse_box,
    parse_crowd,
    parse_id,
    parse_mask,
    parse_number,
    parse_whole,
)
from model.training.data.coverage import stated_coverage
from model.training.data.image_files import upright_size
from model.training.data.image_places import ImagePlaces

_LISTS = ("images", "annotations", "categories")
_ROOT = "none"  # what Roboflow calls the category above a category that heads the others


@dataclass(frozen=True, eq=False)
class CocoFile:
    """The checked contents of a json, in its own order.

    content:    the whole table, of which the three lists are superseded by what follows
    categories: the entries by id; `names` what they are called
    log:        what was left out
    find:       gives the places of the images; raises DataError when none is found

    The ids of images are all whole numbers or all text, and so are those of categories.
    """

    file: Path
    content: Record
    categories: dict[Id, Record]
    names: dict[Id, str]
    images: dict[Id, CocoImage]
    objects: tuple[CocoObject, ...]
    log: SkipLog
    find: Callable[[], ImagePlaces]


def read_coco_file(file: Path, images: Path | None = None) -> CocoFile:
    """Read a json. `images` is where its images lie, None for the usual places.

    An image of which the file does not tell the size has that of its file. Raises DataError naming the file
    when it is no COCO json, when different images share an id, or different categories an id or a name, and
    when one of its lists holds nothing that can be used.
    """
    content = read_json(file)
    log = SkipLog()
    try:
        tables = {key: _tables(content, key, log) for key in _LISTS}
        annotations = tables["annotations"]
        _refuse_panoptic(annotations)
        listed = _Entries(tables["images"], "image", "file_name", log)
        sorts = _Entries(tables["categories"], "category", "name", log)
        names = _category_names(sorts, {sorts.key(a.get("category_id")) for a in annotations}, log)
    except DataError as error:
        raise DataError(f"{file}: {error}") from None
    texts = [name for record in listed.kept.values() if isinstance(name := record.get("file_name"), str)]
    find = cache(lambda: ImagePlaces(file, texts, images))
    found = (_image(key, record, find, log) for key, record in listed.kept.items())
    known = {image.id: image for image in found if image is not None}
    if not known:
        told = "; ".join(map(str, log.report()))
        raise DataError(f"{file}: no image of it can be used; left out: {told}")
    objects = tuple(_objects(annotations, listed, known, sorts, names, log))
    categories = {key: sorts.kept[key] for key in names}
    return CocoFile(file, content, categories, names, known, objects, log, find)


class _Entries:
    """The entries of a list by their ids, which are of one kind; entries without an id are left out.

    what: what the list is of; name: the key by which two entries of one id are told apart
    """

    def __init__(self, records: list[Record], what: str, name: str, log: SkipLog) -> None:
        ids = [parse_id(record.get("id")) for record in records]
        self._texts = any(isinstance(key, str) for key in ids)
        self.kept: dict[Id, Record] = {}
        for record, raw in zip(records, ids, strict=True):
            called = str(record.get(name))
            key = self._of_one_kind(raw)
            if key is None:
                log.add(f"{what} without a usable id", called)
            elif key not in self.kept:
                self.kept[key] = record
            elif self.kept[key].get(name) == record.get(name):
                log.add(f"{what} that is listed twice", called)
            else:
                raise DataError(
                    f"two entries share the {what} id {key}, {self.kept[key].get(name)} and {called}; "
                    "give each its own"
                )

    def key(self, value: Any) -> Id | None:
        """Return the id that a reference in another entry means."""
        return self._of_one_kind(parse_id(value))

    def _of_one_kind(self, key: Id | None) -> Id | None:
        return str(key) if self._texts and key is not None else key


def _tables(content: Record, key: str, log: SkipLog) -> list[Record]:
    entries = content.get(key)
    tables = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    if not tables:
        raise DataError(f"holds no {key}; a COCO json has the lists {', '.join(_LISTS)}")
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, dict):
            log.add(f"entry of {key} that is no table", str(entry)[:50])
    return tables


def _refuse_panoptic(annotations: list[Record]) -> None:
    if any("segments_info" in record for record in annotations):
        raise DataError(
            "a COCO panoptic json (its annotations have segments_info), whose masks are in PNG files and are "
            "not read; give the json of instances, or convert it with panoptic2detection_coco_format.py of "
            "panopticapi"
        )


def _category_names(entries: _Entries, used: set[Id | None], log: SkipLog) -> dict[Id, str]:
    """Return the name of each category used, in the order of their ids."""
    above = [record.get("supercategory") for record in entries.kept.values()]
    names: dict[Id, str] = {}
    by_name: dict[str, Id] = {}
    for key, record in sorted(entries.kept.items()):  # ids are of one kind
        name = _text(record.get("name"))
        if name is None:
            log.add("category without a name", f"category {key}")
        elif key not in used and record.get("supercategory") == _ROOT and name in above:
            log.add("category that only heads the others, without an object", name)
        elif name in by_name and key in used and by_name[name] in used:
            raise DataError(f"two categories have the same name {name!r}; give each its own")
        elif name in by_name and key not in used:
            log.add("category without an object, whose name another has", name)
        else:
            if name in by_name:
                log.add("category without an object, whose name another has", name)
                del names[by_name[name]]
            names[key], by_name[name] = name, key
    if not names:
        raise DataError("holds no categories that have a name")
    return names


def _text(value: Any) -> str | None:
    """Return a name as text; a number is accepted."""
    if isinstance(value, str):
        return value or None
    number = parse_whole(value)
    return None if number is None else str(number)


def _image(key: Id, record: Record, find: Callable[[], ImagePlaces], log: SkipLog) -> CocoImage | None:
    name = record.get("file_name")
    if not isinstance(name, str) or not name:
        log.add("image without a file name", f"image {key}")
        return None
    width, height = (parse_whole(record.get(side)) or 0 for side in ("width", "height"))
    try:
        stated_coverage(record.get("coverage"))
        if min(width, height) < 1:
            width, height = upright_size(find()[name])
        if width * height > MAX_PIXELS:
            raise ValueError(f"image of more than {MAX_PIXELS // 10**6} million pixels")
    except ValueError as error:
        log.add(str(error), name)
        return None
    return CocoImage(record, key, name, width, height)


def _objects(
    annotations: list[Record],
    listed: _Entries,
    images: dict[Id, CocoImage],
    sorts: _Entries,
    names: dict[Id, str],
    log: SkipLog,
) -> Iterator[CocoObject]:
    """Yield the usable annotations; those of images that were left out are not reported again."""
    seen: dict[Id, Record] = {}
    for place, record in enumerate(annotations, start=1):
        label = f"annotation {record.get('id', f'without id, number {place} of the list')}"
        key, image_key = parse_id(record.get("id")), listed.key(record.get("image_id"))
        if key is not None and seen.setdefault(key, record) is not record and seen[key] == record:
            log.add("annotation that is listed twice", label)
        elif image_key is None or image_key not in listed.kept:
            log.add("annotation of an image that is not listed", label)
        elif image := images.get(image_key):
            category = sorts.key(record.get("category_id"))
            if category is None or category not in names:
                said = f"category {record.get('category_id')!r}"
                log.add("annotation of an unknown category", f"{image.name}, {label}, {said}")
            elif found := _object(record, f"{image.name}, {label}", image, category, log):
                yield found


def _object(record: Record, label: str, image: CocoImage, category: Id, log: SkipLog) -> CocoObject | None:
    mask, box, area = _mask(record, image, label, log), None, parse_number(record.get("area"))
    try:
        crowd = parse_crowd(record.get("iscrowd"))
        try:
            box = parse_box(record.get("bbox"))
        except ValueError:
            if not mask.polygons and mask.rle is None:
                raise
    except ValueError as error:
        log.add(str(error), label)
        return None
    return CocoObject(record, label, image, category, mask, box, area if area and area > 0 else None, crowd)


def _mask(record: Record, image: CocoImage, label: str, log: SkipLog) -> Mask:
    try:
        mask = parse_mask(record.get("segmentation"), image.width, image.height)
    except ValueError as error:
        log.add(f"mask, of which only the box is used: {error}", label)
        return Mask()
    if mask.strays:
        log.add("outline of fewer than three points, or flat, beside others of its object", label)
    return mask
