"""Choosing an instance without a mouse: from left to right, by a point that lies on it."""

from __future__ import annotations

import numpy as np

from model.detections import Detections


def next_instance(detections: Detections, selected: int | None, step: int) -> int | None:
    """The detection that comes `step` places after the selected one, from left to right and round again.

    Without a selected one the count begins before the first, or behind the last; None where there is none.
    """
    count = len(detections)
    if not count:
        return None
    order = np.argsort(detections.boxes[:, 0] + detections.boxes[:, 2], kind="stable").tolist()
    if selected is None or selected not in order:
        return int(order[0 if step > 0 else -1])
    return int(order[(order.index(selected) + step) % count])


def point_on(detections: Detections, index: int) -> tuple[float, float]:
    """A pixel's middle that belongs to a detection, in frame coordinates; to it alone where there is such."""
    x1, y1, x2, y2 = (float(side) for side in detections.boxes[index])
    if detections.crops is None or not detections.crops[index].area:
        return (x1 + x2) / 2, (y1 + y2) / 2
    crop = detections.crops[index]
    own = crop.paste(*detections.image_size)
    for other, mask in enumerate(detections.crops):
        if other != index:
            rows, columns = mask.pixels.shape
            own[mask.y : mask.y + rows, mask.x : mask.x + columns] &= ~mask.pixels
    rows_of, columns_of = np.nonzero(own if own.any() else crop.paste(*detections.image_size))
    middle = len(rows_of) // 2
    return float(columns_of[middle]) + 0.5, float(rows_of[middle]) + 0.5
