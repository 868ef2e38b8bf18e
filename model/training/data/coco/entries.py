"""Entries of a COCO json that can be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from model.training.data.coco.values import Box, Id, Mask
from model.training.data.rle import mask_area, rle_box

Record = dict[str, Any]


@dataclass(frozen=True, eq=False, slots=True)
class CocoImage:
    """An image of the file; `record` is its entry as it stands there."""

    record: Record
    id: Id
    name: str
    width: int
    height: int


@dataclass(frozen=True, eq=False, slots=True)
class CocoObject:
    """An annotation that has a mask, a box, or both.

    record: its entry as it stands in the file
    label:  name of the entry in messages
    box:    as the entry says, x, y, width, height in pixels; None where it says nothing of use
    area:   likewise, in square pixels
    """

    record: Record
    label: str
    image: CocoImage
    category: Id
    mask: Mask
    box: Box | None
    area: float | None
    crowd: bool

    def extent(self) -> Box:
        """x, y, width, height of the mask, or the annotated box where there is no mask."""
        if self.mask.polygons:
            points = np.concatenate(self.mask.polygons)
            (x, y), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        elif self.mask.rle is not None:
            x, y, right, bottom = rle_box(self.mask.rle, self.image.width, self.image.height)
        else:
            assert self.box is not None
            return self.box
        return x, y, right - x, bottom - y

    def segmentation(self) -> Any:
        """Return the mask in COCO's format; an empty list for none."""
        if self.mask.rle is not None:
            size = [self.image.height, self.image.width]
            return {"size": size, "counts": self.mask.rle.decode("ascii")}
        return [polygon.reshape(-1).tolist() for polygon in self.mask.polygons]

    def completed(self, number: int) -> Record:
        """Return the entry with all keys of COCO's format, under this id."""
        segmentation, box = self.segmentation(), self.box or self.extent()
        area = self.area
        if area is None:  # of the mask where there is one, which is what tools sort objects into sizes by
            area = mask_area(segmentation, self.image.width, self.image.height) or box[2] * box[3]
        return {
            **self.record,
            "id": number,
            "image_id": self.image.id,
            "category_id": self.category,
            "bbox": list(box),
            "area": area,
            "iscrowd": int(self.crowd),
            "segmentation": segmentation,
        }
