"""Assignment of detections to objects of the ground truth, frame by frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from model.detections import MaskCrop, mask_iou

MATCH = 0.5
"""The least IoU of a match, as in CLEAR MOT and MOTS."""


@dataclass(frozen=True)
class Assigned:
    """The detection assigned to an object of the ground truth: its index, and their IoU, above 0 to 1."""

    index: int
    iou: float

    @property
    def matched(self) -> bool:
        """True if the detection counts as this object."""
        return self.iou >= MATCH


def assign(objects: Mapping[int, MaskCrop], masks: Sequence[MaskCrop]) -> dict[int, Assigned]:
    """Assign detections to objects one to one, maximising the sum of IoU.

    objects: masks of the ground truth by label; masks: those of the detections; of frames of one size.
    Objects that no detection overlaps are left out.
    """
    if not objects or not masks:
        return {}
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped, unused-ignore]

    overlaps = np.array([[mask_iou(truth, mask) for mask in masks] for truth in objects.values()])
    labels = list(objects)
    rows, columns = linear_sum_assignment(overlaps, maximize=True)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return {labels[r]: Assigned(c, float(overlaps[r, c])) for r, c in pairs if overlaps[r, c] > 0}
