"""Choosing an instance without a mouse: from left to right."""

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
