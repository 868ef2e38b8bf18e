"""Detections of one frame: a frozen record of NumPy arrays, fit to cross threads; imports no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class MaskCrop:
    """The part of a mask that can hold pixels: `pixels` [h, w] bool with its top left corner at (x, y).

    (x, y) are whole frame pixels; the crop lies inside the frame; outside of it the mask is empty.
    h or w may be 0.
    """

    x: int
    y: int
    pixels: NDArray[np.bool_]

    @property
    def area(self) -> int:
        """Number of pixels of the mask."""
        return int(np.count_nonzero(self.pixels))

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The crop's own box x1, y1, x2, y2 in frame pixels; tight for a crop that is."""
        height, width = self.pixels.shape
        return self.x, self.y, self.x + width, self.y + height

    def tight(self) -> MaskCrop:
        """Return the same mask without empty rows and columns at its edges, in memory of its own.

        An empty mask becomes 0 x 0 at (0, 0).
        """
        rows, columns = np.flatnonzero(self.pixels.any(axis=1)), np.flatnonzero(self.pixels.any(axis=0))
        if not len(rows):
            return MaskCrop(0, 0, np.zeros((0, 0), dtype=bool))
        (top, bottom), (left, right) = rows[[0, -1]], columns[[0, -1]]
        pixels = self.pixels[top : bottom + 1, left : right + 1]
        return MaskCrop(self.x + int(left), self.y + int(top), pixels.copy())

    def paste(self, height: int, width: int) -> NDArray[np.bool_]:
        """Return the mask on the whole frame: [height, width] bool."""
        frame = np.zeros((height, width), dtype=bool)
        h, w = self.pixels.shape
        frame[self.y : self.y + h, self.x : self.x + w] = self.pixels
        return frame


@dataclass(frozen=True, eq=False)
class Detections:
    """N detected instances of one frame, best score first. N = 0 when nothing was found.

    image_size:  (height, width) of the frame in pixels
    boxes:       [N, 4] float32, x1 y1 x2 y2 in frame pixels, clamped to the frame
    scores:      [N] float32; class probability, 0..1; for YOLACT++ times the predicted mask IoU, which
                 has no upper bound
    classes:     [N] int64, indices into `class_names`
    class_names: names of the model's classes, background not counted
    crops:       N masks, each cropped to its padded box; None when only boxes were asked for
    box_scores:  [N] float32, the class probabilities alone (the same as `scores` without re-scoring)
    track_ids:   [N] int64, -1 for detections without a track; None when tracking is off
    """

    image_size: tuple[int, int]
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int64]
    class_names: tuple[str, ...]
    crops: tuple[MaskCrop, ...] | None
    box_scores: NDArray[np.float32]
    track_ids: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def has_masks(self) -> bool:
        """False when only boxes were asked for."""
        return self.crops is not None

    @property
    def names(self) -> tuple[str, ...]:
        """The class name of each detection."""
        return tuple(self.class_names[c] for c in self.classes)

    @property
    def masks(self) -> NDArray[np.bool_]:
        """Masks on the whole frame, [N, H, W] bool, assembled at each call (N·H·W bytes).

        Raises ValueError when only boxes were asked for.
        """
        height, width = self.image_size
        masks = np.zeros((len(self), height, width), dtype=bool)
        for mask, crop in zip(masks, self._crops(), strict=True):
            h, w = crop.pixels.shape
            mask[crop.y : crop.y + h, crop.x : crop.x + w] = crop.pixels
        return masks

    def select(self, which: NDArray[Any] | Sequence[int]) -> Detections:
        """Return the detections of these indices, in their order, or those where a [N] bool array is True."""
        index = np.asarray(which)
        index = np.flatnonzero(index) if index.dtype == bool else index.astype(np.int64)
        return dataclasses.replace(
            self,
            boxes=self.boxes[index],
            scores=self.scores[index],
            classes=self.classes[index],
            crops=None if self.crops is None else tuple(self.crops[i] for i in index),
            box_scores=self.box_scores[index],
            track_ids=None if self.track_ids is None else self.track_ids[index],
        )

    def to_coco(self) -> list[dict[str, Any]]:
        """Return COCO results: `category_name`, `bbox` [x, y, w, h] in pixels, `score`, `segmentation`.

        `segmentation` is compressed COCO run-length code whose `counts` are text, ready for json; it is
        left out when only boxes were asked for. The caller adds image and category ids.
        """
        results: list[dict[str, Any]] = []
        for i, name in enumerate(self.names):
            x1, y1, x2, y2 = (float(v) for v in self.boxes[i])
            result: dict[str, Any] = {
                "category_name": name,
                "bbox": [round(v, 2) for v in (x1, y1, x2 - x1, y2 - y1)],
                "score": round(float(self.scores[i]), 5),
            }
            if self.crops is not None:
                result["segmentation"] = self._rle(self.crops[i])
            results.append(result)
        return results

    def _crops(self) -> tuple[MaskCrop, ...]:
        if self.crops is None:
            raise ValueError("these detections hold boxes only; ask the predictor for masks")
        return self.crops

    def _rle(self, crop: MaskCrop) -> dict[str, Any]:
        from pycocotools import mask as coco_mask

        height, width = self.image_size
        counts = run_lengths(crop, height, width).tolist()
        code = coco_mask.frPyObjects({"counts": counts, "size": [height, width]}, height, width)
        return {"size": [height, width], "counts": code["counts"].decode("ascii")}


def run_lengths(crop: MaskCrop, height: int, width: int) -> NDArray[np.int64]:
    """Return COCO's uncompressed run lengths of a mask, column by column: [R], the first run is of 0s.

    Only the crop is read, so that a large frame costs no more than a small one.
    """
    rows, columns = crop.pixels.shape
    framed = np.zeros((columns, rows + 2), dtype=bool)
    framed[:, 1:-1] = crop.pixels.T
    # in each column the rows where a run begins and ends, in turn
    column, row = np.nonzero(framed[:, 1:] != framed[:, :-1])
    edges = (crop.x + column) * height + crop.y + row
    # a run that ends where the next one begins goes on from the foot of a column to the head of the next
    joined = edges[1:] == edges[:-1]
    edges = edges[~(np.append(joined, False) | np.append(False, joined))] if len(edges) else edges
    runs = np.diff(edges, prepend=0, append=height * width)
    return runs[:-1] if len(runs) > 1 and runs[-1] == 0 else runs


def mask_iou(a: MaskCrop, b: MaskCrop) -> float:
    """Return the IoU, 0..1, of two masks of frames of one size; 0 where one is empty."""
    top, left = max(a.y, b.y), max(a.x, b.x)
    bottom = min(crop.y + crop.pixels.shape[0] for crop in (a, b))
    right = min(crop.x + crop.pixels.shape[1] for crop in (a, b))
    if bottom <= top or right <= left:
        return 0.0
    common_a, common_b = (
        crop.pixels[top - crop.y : bottom - crop.y, left - crop.x : right - crop.x] for crop in (a, b)
    )
    shared = np.count_nonzero(common_a & common_b)
    return shared / (a.area + b.area - shared) if shared else 0.0


def no_detections(
    image_size: tuple[int, int], class_names: tuple[str, ...], with_masks: bool = True
) -> Detections:
    """Return a record without detections, N = 0."""
    empty = np.zeros(0, np.float32)
    return Detections(
        image_size=image_size,
        boxes=np.zeros((0, 4), np.float32),
        scores=empty,
        classes=np.zeros(0, np.int64),
        class_names=class_names,
        crops=() if with_masks else None,
        box_scores=empty,
    )
