"""Ground truth of an evaluation, as pycocotools takes it, of labels in any format."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from pycocotools.coco import COCO

from model.errors import ConfigError, DataError
from model.training.data.annotations import Skipped
from model.training.data.coco.entries import Record
from model.training.data.coco.records import CocoFile, read_coco_file
from model.training.data.coverage import stated_coverage
from model.training.data.image_files import labels_are_upright
from model.training.data.image_places import spelled

_SHOWN = 3


@dataclass(frozen=True)
class ImagePlace:
    """File of an image; `upright` says that labels belong to it as turned by its EXIF orientation.

    `fault` is the reason why it cannot be used (missing, broken or of another size), or empty.
    """

    path: Path
    upright: bool = True
    fault: str = ""


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """Labels and the places of their images.

    file:    the json or folder that was read
    truth:   the labels
    find:    returns the place of an image by id
    skipped: labels that were left out
    """

    file: Path
    truth: COCO
    find: Callable[[Any], ImagePlace]
    skipped: tuple[Skipped, ...] = ()

    @property
    def images(self) -> list[Record]:
        """The records of the images, in the order of the file."""
        images: list[Record] = self.truth.dataset["images"]
        return images

    def place(self, image: Record) -> ImagePlace:
        """Return the place of an image."""
        return self.find(image["id"])

    def confined(self, truth: COCO) -> GroundTruth:
        """Return a copy with a selection of the images."""
        return replace(self, truth=truth)

    def require_images(self, hint: str) -> None:
        """Raise DataError when images have a fault; the message names the first ones and ends with `hint`."""
        faults = [(place.path, place.fault) for place in map(self.place, self.images) if place.fault]
        if faults:
            shown = "; ".join(f"{path}: {fault}" for path, fault in faults[:_SHOWN])
            more = "; …" if len(faults) > _SHOWN else ""
            raise DataError(
                f"{len(faults)} of {len(self.images)} images cannot be read: {shown}{more}; {hint}"
            )


def load_ground_truth(path: Path) -> COCO:
    """Read the labels of a COCO json; images are opened only where the json does not state their size.

    Missing values of an annotation get defaults, `iscrowd` 0, the box of its mask, the area of its mask (of
    its box where it has no mask). Annotations are renumbered from 1, because `COCOeval` takes an object of id
    0 for one that was not matched. Raises DataError as `read_coco_file` does, and when no annotation can be
    used.
    """
    return _truth(read_coco_file(path))


def coco_ground_truth(path: Path, images: Path | None = None) -> GroundTruth:
    """Read the labels of a COCO json; the header of an image is read when its place is asked for.

    images: the folder of the images, None for the usual places

    Raises DataError as `load_ground_truth` does, and when none of the images is found.
    """
    found = read_coco_file(path, images)
    places = found.find()

    @cache
    def place(key: Any) -> ImagePlace:
        image = found.images[key]
        path = places[image.name]
        if image.name not in places:
            return ImagePlace(path, fault=f"image file is missing, looked for as {spelled(image.name)}")
        try:
            return ImagePlace(path, labels_are_upright(path, image.width, image.height))
        except ValueError as error:
            return ImagePlace(path, fault=str(error))

    return GroundTruth(path, _truth(found), place, found.log.report())


def _truth(found: CocoFile) -> COCO:
    if not found.objects:
        told = "; ".join(map(str, found.log.report()))
        raise DataError(f"{found.file}: holds no annotations that can be used; left out: {told}")
    return indexed(
        {
            **found.content,
            "images": [
                {**i.record, "id": i.id, "file_name": i.name, "width": i.width, "height": i.height}
                for i in found.images.values()
            ],
            "annotations": [one.completed(number) for number, one in enumerate(found.objects, start=1)],
            "categories": [
                {**record, "id": key, "name": found.names[key]} for key, record in found.categories.items()
            ],
        }
    )


def indexed(data: Record) -> COCO:
    """Return a `COCO` of the three lists of a COCO json, without its printing."""
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
    """Select the first `limit` images whose `coverage` and `source` are among those given; empty means any.

    Raises ConfigError on a value that no image has, with the known values, and DataError when no image is
    left.
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
    """Return the images whose `coverage` says that objects of these classes may be unlabelled."""
    return [
        image for image in ground_truth.dataset["images"] if not _covers(image.get("coverage"), class_names)
    ]


def subset(ground_truth: COCO, image_ids: Iterable[Any]) -> COCO:
    """Return the ground truth of these images only; the records are shared, not copied."""
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
