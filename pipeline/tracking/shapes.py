"""Masks of any predictor as codes that can be smoothed: soft pictures of masks about their bodies.

A code is a mask's signed distance field on a grid, as in Leventon et al., "Statistical Shape Influence in
Geodesic Active Contours", CVPR 2000: the mean of two fields has its edge about between the two edges. The
grid lies about the mask's body, which its first two moments give, and not in its box: a box leaps when an arm
is raised, a body hardly moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from model.detections import MaskCrop
from pipeline.tracking.filters import moved

Floats = NDArray[np.float32]

CELLS = 36  # a side of a code
MARGIN = 0.3  # of a body's size: limbs reach over it
DEPTH = 0.1  # of a grid's size: how deep within the mask, or how far from it, a code tells no more


class _Field(NamedTuple):
    """The signed distance from a mask's edge."""

    depth: Floats  # [h, w], -1..1
    x: int  # the frame pixel of its top left corner
    y: int


@dataclass(frozen=True, eq=False)
class Shapes:
    """The masks of N instances of one frame, ready to be drawn anew.

    codes:      [N, CELLS, CELLS] float32, -1..1: the signed distance to the mask's edge, averaged over each
                cell of a grid about the body; 1 is deep within the mask
    bodies:     [N, 4] float32, x1 y1 x2 y2 in frame pixels: the rectangle whose moments are the mask's; of an
                empty mask its box
    boxes:      [N, 4] float32, x1 y1 x2 y2 in frame pixels, as they were given
    crops:      the N masks
    image_size: (height, width) of the frame in pixels
    fields:     the masks' distance fields; None of an empty mask
    """

    codes: Floats
    bodies: Floats
    boxes: Floats
    crops: tuple[MaskCrop, ...]
    image_size: tuple[int, int]
    fields: tuple[_Field | None, ...]

    def redrawn(self, boxes: Floats, codes: Floats, bodies: Floats | None = None) -> tuple[MaskCrop, ...]:
        """The masks moved to other bodies, [N, 4], and bent to other codes, [N, CELLS, CELLS].

        boxes: [N, 4] x1 y1 x2 y2; without `bodies` the masks are moved as their boxes have been

        A mask of which nothing has changed is returned as it is. Only the difference of the codes is drawn,
        so that what a code is too coarse for is not lost.
        """
        if bodies is None:
            bodies = moved(self.bodies, self.boxes, boxes)
        return tuple(
            crop
            if field is None or (np.array_equal(old_body, body) and np.array_equal(old_code, code))
            else _redrawn(field, old_body, body, code - old_code, self.image_size)
            for crop, field, old_body, old_code, body, code in zip(
                self.crops, self.fields, self.bodies, self.codes, bodies, codes, strict=True
            )
        )


def shapes_of(crops: Sequence[MaskCrop], boxes: Floats, image_size: tuple[int, int]) -> Shapes:
    """The shapes of N masks with boxes [N, 4], x1 y1 x2 y2 in frame pixels. An empty mask is all -1."""
    codes = np.full((len(crops), CELLS, CELLS), -1, np.float32)
    bodies = np.array(boxes, np.float32).reshape(-1, 4)
    fields: list[_Field | None] = []
    for code, body, crop in zip(codes, bodies, crops, strict=True):
        field = None
        if crop.area:
            body[:] = _body(crop)
            field = _field(crop, body, image_size)
            code[:] = _code(field, body)
        fields.append(field)
    return Shapes(codes, bodies, np.array(boxes, np.float32), tuple(crops), image_size, tuple(fields))


def _body(crop: MaskCrop) -> tuple[float, float, float, float]:
    """The rectangle with the mask's centre of gravity and variances."""
    moments = cv2.moments(crop.pixels.view(np.uint8), binaryImage=True)
    area = moments["m00"]
    x, y = crop.x + moments["m10"] / area + 0.5, crop.y + moments["m01"] / area + 0.5
    # a line of length 2a has the variance a²/3; pixels are 1 wide
    half_width, half_height = (np.sqrt(3 * moments[name] / area + 0.25) for name in ("mu20", "mu02"))
    return x - half_width, y - half_height, x + half_width, y + half_height


def _code(field: _Field, body: Floats) -> Floats:
    left, top, right, bottom = _region(body)
    depth, x, y = field
    averaged, rows = _averages(depth, top - y, bottom - y)
    # [CELLS, w] -> [CELLS, CELLS]
    averaged, columns = _averages(averaged.T, left - x, right - x)
    # parts without pixels are far from the mask
    return np.asarray(averaged.T - (1 - rows[:, None] * columns), np.float32)


def _region(body: Floats) -> tuple[float, float, float, float]:
    """Return the region that the grid covers."""
    x1, y1, x2, y2 = (float(edge) for edge in body)
    width, height = max(x2 - x1, 1.0), max(y2 - y1, 1.0)
    return x1 - MARGIN * width, y1 - MARGIN * height, x1 + (1 + MARGIN) * width, y1 + (1 + MARGIN) * height


def _field(crop: MaskCrop, body: Floats, image_size: tuple[int, int]) -> _Field:
    left, top, right, bottom = _region(body)
    reach = max(DEPTH * float(np.sqrt((right - left) * (bottom - top))), 1.0)
    pad = int(np.ceil(reach)) + 1
    pixels = np.pad(crop.pixels.view(np.uint8), pad)
    _go_on_at_edges(pixels, pad, crop, image_size)
    within = cv2.distanceTransform(pixels, cv2.DIST_L2, 3)
    around = cv2.distanceTransform(1 - pixels, cv2.DIST_L2, 3)
    # edges lie half a pixel from the pixels on either side
    depth: Floats = np.asarray(cv2.subtract(within, around), np.float32)
    depth -= pixels - np.float32(0.5)
    depth *= np.float32(1 / reach)
    np.clip(depth, -1, 1, out=depth)
    return _Field(depth, crop.x - pad, crop.y - pad)


def _go_on_at_edges(pixels: NDArray[np.uint8], pad: int, crop: MaskCrop, image_size: tuple[int, int]) -> None:
    """Beyond the frame's edge a mask goes on as it ends there: a mask that moves inwards leaves no gap."""
    height, width = crop.pixels.shape
    if crop.y == 0:
        pixels[:pad] = pixels[pad]
    if crop.y + height == image_size[0]:
        pixels[-pad:] = pixels[-pad - 1]
    if crop.x == 0:
        pixels[:, :pad] = pixels[:, pad, None]
    if crop.x + width == image_size[1]:
        pixels[:, -pad:] = pixels[:, -pad - 1, None]


def _averages(values: Floats, low: float, high: float) -> tuple[Floats, Floats]:
    """Sums of [n, m] over each cell between low and high along n, [CELLS, m], by the cell's size.

    And the share of each cell that there are values of, [CELLS]. No matrix product: for so little work, to
    wake the threads that share it takes longer than the work itself.
    """
    n = len(values)
    edges = np.linspace(low, high, CELLS + 1).clip(0, n).astype(np.float32)
    whole = np.minimum(edges.astype(np.int64), n - 1)
    sums = np.zeros((n + 1, values.shape[1]), np.float32)
    np.cumsum(values, axis=0, out=sums[1:])
    upto = sums[whole] + (edges - whole)[:, None].astype(np.float32) * values[whole]
    scale = np.float32(CELLS / (high - low))
    return np.diff(upto, axis=0) * scale, np.diff(edges) * scale


def _redrawn(
    field: _Field, old_body: Floats, body: Floats, change: Floats, image_size: tuple[int, int]
) -> MaskCrop:
    """change: [CELLS, CELLS], what is added to the code."""
    old, new = _region(old_body), _region(body)
    depth, x, y = field
    scale_x, scale_y = (new[2] - new[0]) / (old[2] - old[0]), (new[3] - new[1]) / (old[3] - old[1])
    # from a pixel of the crop's field to one of the frame; centres of pixels are halves
    shift_x = new[0] + (x + 0.5 - old[0]) * scale_x - 0.5
    shift_y = new[1] + (y + 0.5 - old[1]) * scale_y - 0.5
    high, wide = depth.shape
    x1, x2 = _within(min(new[0], shift_x), max(new[2], shift_x + wide * scale_x), image_size[1])
    y1, y2 = _within(min(new[1], shift_y), max(new[3], shift_y + high * scale_y), image_size[0])
    if x2 <= x1 or y2 <= y1:
        return MaskCrop(x1, y1, np.zeros((0, 0), bool))
    motion = np.array([[scale_x, 0, shift_x - x1], [0, scale_y, shift_y - y1]])
    there = cv2.warpAffine(depth, motion, (x2 - x1, y2 - y1), flags=cv2.INTER_LINEAR, borderValue=-1)
    cell_x, cell_y = (new[2] - new[0]) / CELLS, (new[3] - new[1]) / CELLS
    spread = np.array(
        [[cell_x, 0, new[0] + cell_x / 2 - 0.5 - x1], [0, cell_y, new[1] + cell_y / 2 - 0.5 - y1]]
    )
    bent = cv2.warpAffine(change, spread, (x2 - x1, y2 - y1), flags=cv2.INTER_LINEAR)
    return MaskCrop(x1, y1, there + bent > 0)


def _within(low: float, high: float, limit: int) -> tuple[int, int]:
    """The whole pixels between low and high within 0..limit."""
    first, last = (min(max(int(edge), 0), limit) for edge in (np.floor(low), np.ceil(high)))
    return first, last
