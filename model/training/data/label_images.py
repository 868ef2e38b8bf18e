"""Label images, whose pixel values number the objects, as in Pascal VOC and plain folders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.images import FORMATS
from model.training.data.annotations import Instance
from model.training.data.rle import encode_mask, rle_box

# a mask with more values than the first, most of them on fewer pixels than the second, was smoothed
FEW_VALUES = 8
SPECK = 16
_ONE_CHANNEL = frozenset({"1", "L", "P", "I", "I;16"})


@dataclass(frozen=True, eq=False)
class LabelledRegion:
    """The pixels of one value: `mask` [H, W] bool."""

    value: int
    mask: NDArray[np.bool_]

    def instance(self, class_index: int) -> Instance:
        """Return the region as an object of a class."""
        height, width = self.mask.shape
        rle = encode_mask(self.mask)
        return Instance(rle_box(rle, width, height), class_index, rle=rle)


def read_label_image(path: Path, width: int, height: int) -> NDArray[np.int64]:
    """Return the values [H, W] of a label image of one channel (palette indices where it has a palette).

    Raises ValueError with the reason when it is missing, broken, in colour or not width x height.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.mode not in _ONE_CHANNEL:
                raise ValueError(f"mask of mode {image.mode} where one channel is expected")
            labels = np.array(image).astype(np.int64)
    except FileNotFoundError:
        raise ValueError("mask file is missing") from None
    except (OSError, SyntaxError, Image.DecompressionBombError):
        raise ValueError("mask file cannot be read") from None
    return checked_labels(labels, width, height)


def checked_labels(labels: NDArray[Any], width: int, height: int) -> NDArray[np.int64]:
    """Return the labels. Raises ValueError when they are not height x width."""
    if labels.shape != (height, width):
        raise ValueError("mask has another size than its image")
    return labels.astype(np.int64)


def regions(labels: NDArray[np.int64], void: int | None = None) -> Iterator[LabelledRegion]:
    """Yield the region of every value but 0 and `void`, by rising value.

    Raises ValueError when most values are specks, as in a mask whose edges were smoothed.
    """
    values, areas = np.unique(labels, return_counts=True)
    counted = (values != 0) & (values != void)
    values, areas = values[counted], areas[counted]
    if len(values) > FEW_VALUES and np.mean(areas < SPECK) > 0.5:
        raise ValueError("mask of many values on few pixels each: its edges were smoothed")
    for value in values.tolist():
        yield LabelledRegion(value, labels == value)
