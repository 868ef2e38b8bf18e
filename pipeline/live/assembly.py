"""Steps from prototypes to the mask of one instance (YOLACT paper, figure 5 and equation 1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.detections import Detections
from model.host.masks import CROP_PADDING
from pipeline.frame import Inspection, Result


@dataclass(frozen=True, eq=False)
class Explanation:
    """The contributions of the prototypes to the mask of one instance.

    coefficients: [K] float32, -1..1
    order:        [K] int64, the prototypes in the order in which they are added up
    window:       [Hp, Wp] bool, where the mask may lie: the padded box
    places:       [Hp, Wp] float32, what the sum begins with, by a pixel's place in the box; None for 0
    """

    coefficients: NDArray[np.float32]
    order: NDArray[np.int64]
    window: NDArray[np.bool_]
    places: NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class Assembly:
    """A mask made of some of the prototypes; everything is [Hp, Wp], the size of a prototype.

    sums:          float32, the logits: signed, 0 where nothing was added and places say nothing
    probabilities: float32, their sigmoid, 0..1
    cropped:       float32, 0 outside the box
    mask:          bool, above one half
    """

    sums: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    cropped: NDArray[np.float32]
    mask: NDArray[np.bool_]


def instance_of(result: Result) -> int | None:
    """The detection to explain: the selected one, or else the best-scored one; None where there is none."""
    if result.selected is not None:
        return result.selected
    return 0 if len(result.detections) else None


def explain(inspection: Inspection, detections: Detections, instance: int, order: str) -> Explanation:
    """Return the contributions of the prototypes to the detection of that index. order: a key of `ORDERS`."""
    prototypes, coefficients = inspection.prototypes, inspection.coefficients[instance]
    window = crop_window(detections.boxes[instance], detections.image_size, prototypes.shape[:2])
    places = None if inspection.places is None else inspection.places[instance]
    return Explanation(coefficients, ORDERS[order](prototypes[window], coefficients), window, places)


def add_up(prototypes: NDArray[np.float32], explanation: Explanation, count: int) -> Assembly:
    """The mask from the first `count` prototypes of the explanation's order. prototypes: [Hp, Wp, K]."""
    used = np.zeros_like(explanation.coefficients)
    first = explanation.order[:count]
    used[first] = explanation.coefficients[first]
    sums = prototypes @ used  # [Hp, Wp, K] x [K] -> [Hp, Wp]
    if explanation.places is not None:
        sums = sums + explanation.places
    # exp overflows in float32 from 89 on, where the sigmoid is 0 to the last digit
    probabilities = 1 / (1 + np.exp(-np.maximum(sums, -80)))
    cropped = probabilities * explanation.window
    return Assembly(sums, probabilities, cropped, cropped > 0.5)


def crop_window(
    box: NDArray[np.float32], image_size: tuple[int, int], map_size: tuple[int, ...]
) -> NDArray[np.bool_]:
    """[Hp, Wp] bool, the prototype pixels within a box that is padded by one of them.

    box: [4] x1 y1 x2 y2 in frame pixels; both sizes are (height, width)
    """
    height, width = image_size
    columns = _within(box[0::2] * (map_size[1] / width), map_size[1])
    rows = _within(box[1::2] * (map_size[0] / height), map_size[0])
    return rows[:, None] & columns[None, :]


def overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks, 0..1; two empty ones are the same."""
    union = np.count_nonzero(one | other)
    return float(np.count_nonzero(one & other) / union) if union else 1.0


def _within(edges: NDArray[np.float32], cells: int) -> NDArray[np.bool_]:
    """edges: [2] in prototype pixels along one axis. Returns [cells] bool."""
    index = np.arange(cells)
    return (index >= edges[0] - CROP_PADDING) & (index < edges[1] + CROP_PADDING)


def _by_effect(inside: NDArray[np.float32], coefficients: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.argsort(-np.abs(coefficients * inside.sum(0)), kind="stable")


def _by_coefficient(inside: NDArray[np.float32], coefficients: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.argsort(-np.abs(coefficients), kind="stable")


def _by_index(inside: NDArray[np.float32], coefficients: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.arange(len(coefficients))


_Order = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.int64]]

# What comes first, given the prototypes inside the box, [P, K], and the coefficients, [K]: what changes the
# sum there most (most coefficients of a trained network are close to -1 or 1), the largest coefficient
# whatever its sign, or the lowest index
ORDERS: dict[str, _Order] = {"effect": _by_effect, "coefficient": _by_coefficient, "index": _by_index}
